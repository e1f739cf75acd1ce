#pragma once
// Euler steps of the probability-flow ODE in the noise level sigma (Karras et al. 2022, algorithm 2 without churn).
// Samples are z0 + sigma epsilon: the model sees them divided by sqrt(sigma^2 + 1).

#include <optional>

#include "domainfusion/diffusion/noise/sigma_ladder.h"
#include "domainfusion/diffusion/noise/timestep_spacing.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// Fields of scheduler_config.json besides those of NoiseSchedule; the defaults are those of diffusers'
// EulerDiscreteScheduler.
struct EulerConfig {
  TimestepSpacing timestep_spacing = TimestepSpacing::kLinspace;
  std::int64_t steps_offset = 0;  // added to the timesteps of "leading"
  bool use_karras_sigmas = false;
  std::optional<double> sigma_min, sigma_max;  // ends of the Karras levels; absent: those of the spacing
  bool log_linear = false;      // interpolation_type: between the timesteps' levels, or evenly in log sigma
  bool continuous = false;      // timestep_type: with v_prediction the model is asked at log(sigma) / 4
  bool ends_at_lowest = false;  // final_sigmas_type: the last step ends at the level of t = 0, or at 0

  // ConfigError naming the field whose value is not supported.
  static EulerConfig from_json(const nlohmann::json& object);
};

class EulerScheduler : public Scheduler {
 public:
  explicit EulerScheduler(const nlohmann::json& scheduler_config);

  void set_timesteps(std::int64_t steps) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  std::vector<double> sigmas() const override { return sigmas_; }
  double init_noise_sigma() const override;
  at::Tensor scale_model_input(const at::Tensor& sample, std::size_t index) const override;
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;

 protected:
  double sigma(std::size_t index) const;  // before step `index`; that after it is sigma(index + 1)
  // Along the line from z0 through the sample, to another noise level.
  SchedulerStep moved(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample, double to_sigma) const;

 private:
  std::vector<double> spaced_levels(const std::vector<double>& timesteps) const;

  NoiseSchedule schedule_;
  EulerConfig config_;
  SigmaLadder ladder_;
  std::vector<double> timesteps_, sigmas_;
};

}  // namespace domainfusion
