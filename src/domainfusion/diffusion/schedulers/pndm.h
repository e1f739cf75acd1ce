#pragma once
// Pseudo numerical methods for diffusion models (Liu et al. 2022): fourth-order linear multistep with pseudo
// Runge-Kutta steps, or a doubled second step, as its start.

#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/noise/timestep_spacing.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// With skip_prk_steps (Stable Diffusion's own file) the model is asked n + 1 times, at the second timestep twice. The
// steps are counted from the first one taken, as in diffusers: a start in the middle (image-to-image) takes its first
// step twice, although no timestep stands twice there, and stays one step behind the timesteps that the model is told.
class PndmScheduler : public Scheduler {
 public:
  explicit PndmScheduler(const nlohmann::json& scheduler_config);

  // ConfigError for fewer than 4 steps without skip_prk_steps.
  void set_timesteps(std::int64_t steps) override;
  // Differs from diffusers: with strength below 1 there are no Runge-Kutta steps, which move between the first
  // timesteps wherever they start.
  std::size_t set_timesteps_from(std::int64_t steps, double strength) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;

 private:
  at::Tensor runge_kutta_step(const at::Tensor& prediction, std::int64_t t, const at::Tensor& sample);
  at::Tensor multistep_step(const at::Tensor& prediction, std::int64_t t, const at::Tensor& sample);
  at::Tensor combined_prediction() const;
  at::Tensor moved(const at::Tensor& sample, std::int64_t from, std::int64_t to, const at::Tensor& prediction) const;

  NoiseSchedule schedule_;
  bool skip_prk_steps_, set_alpha_to_one_;
  std::int64_t steps_offset_;
  TimestepSpacing spacing_;
  std::int64_t gap_ = 0;  // T / n
  std::vector<double> timesteps_;
  std::size_t runge_kutta_calls_ = 0;

  std::size_t calls_ = 0;                // since set_timesteps
  std::vector<at::Tensor> predictions_;  // of the last steps, newest last
  at::Tensor weighted_prediction_;       // the running sum of a Runge-Kutta step
  at::Tensor start_sample_;              // where it, or the doubled step, began
};

}  // namespace domainfusion
