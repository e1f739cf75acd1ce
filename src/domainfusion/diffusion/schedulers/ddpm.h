#pragma once
// Denoising diffusion probabilistic models (Ho et al. 2020, eq. 6 and 7), on a part of the timesteps.

#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/noise/prediction_parts.h"
#include "domainfusion/diffusion/noise/timestep_spacing.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// variance_type "fixed_small" and "fixed_small_log" are the posterior's variance, "fixed_large" is beta; learned
// variances are refused: the U-Nets of latent diffusion predict none.
class DdpmScheduler : public Scheduler {
 public:
  explicit DdpmScheduler(const nlohmann::json& scheduler_config);

  void set_timesteps(std::int64_t steps) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  bool needs_noise(std::size_t index) const override { return timestep(index) > 0; }
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;

 private:
  std::int64_t timestep(std::size_t index) const;
  double alpha_after(std::size_t index) const;

  NoiseSchedule schedule_;
  SampleClipping clipping_;
  bool large_variance_;
  std::int64_t steps_offset_;
  TimestepSpacing spacing_;
  std::int64_t steps_ = 0;
  std::vector<double> timesteps_;
};

}  // namespace domainfusion
