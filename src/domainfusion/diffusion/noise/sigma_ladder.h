#pragma once
// Noise levels sigma = sqrt((1 - abar) / abar) over the training timesteps, and the spacings of them that samplers
// take.

#include <cstdint>
#include <vector>

#include "domainfusion/config/model_config.h"
#include "domainfusion/diffusion/noise/noise_schedule.h"

namespace domainfusion {

// The level of every training timestep, float32 values as diffusers computes them, ascending.
class SigmaLadder {
 public:
  // Where the schedule ends at abar = 0 (zero terminal SNR), the last abar is taken as 2^-24, as by diffusers from 0.26
  // on, so that the last level is finite.
  explicit SigmaLadder(const NoiseSchedule& schedule);

  std::int64_t size() const { return static_cast<std::int64_t>(sigmas_.size()); }
  double lowest() const { return sigmas_.front(); }
  double highest() const { return sigmas_.back(); }
  double lowest_log() const { return log_sigmas_.front(); }
  double highest_log() const { return log_sigmas_.back(); }

  // Between the training timesteps: linear in t (numpy.interp).
  double at(double t) const;
  // The timestep, fractional, of a level: linear in log sigma, inside 0 … T-1; in numpy's float32 arithmetic, to its
  // last bit.
  double timestep_of(double sigma) const;
  // How many training timesteps have a log signal-to-noise ratio lambda = -log sigma of at least lambda_min.
  std::int64_t count_above(double lambda_min) const;

 private:
  std::vector<double> sigmas_;
  std::vector<float> log_sigmas_;
};

// ConfigError if the file asks for spacings that came after diffusers 0.24: use_exponential_sigmas, use_beta_sigmas,
// use_flow_sigmas.
void refuse_later_spacings(ModelConfigReader& reader);

// `count` levels from highest to lowest, evenly spaced in sigma^(1/7) (Karras et al. 2022, eq. 5).
std::vector<double> karras_sigmas(double highest, double lowest, std::int64_t count);
// Evenly spaced in log sigma (Lu et al. 2022), from one logarithm to the other.
std::vector<double> log_spaced_sigmas(double highest_log, double lowest_log, std::int64_t count);

}  // namespace domainfusion
