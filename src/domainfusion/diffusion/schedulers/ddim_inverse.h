#pragma once
// DDIM backwards (Mokady et al. 2022, eq. 3): from an image's latents to the noise that DDIM would make them from.

#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/noise/prediction_parts.h"
#include "domainfusion/diffusion/noise/timestep_spacing.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// Each step goes from noise level t - T/n, of which abar before the first step is 1 or abar_0 (set_alpha_to_one), to t,
// and asks the model at t, the later of both. Timesteps ascend; they are those of DDIM for "leading" and "trailing"
// spacing; "linspace" is refused, as by diffusers.
class DdimInverseScheduler : public Scheduler {
 public:
  explicit DdimInverseScheduler(const nlohmann::json& scheduler_config);

  void set_timesteps(std::int64_t steps) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
  // At the level after step `index`.
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;
  bool denoises() const override { return false; }

 private:
  std::int64_t timestep(std::size_t index) const;
  double alpha_before(std::size_t index) const;

  NoiseSchedule schedule_;
  SampleClipping clipping_;
  bool set_alpha_to_one_;
  std::int64_t steps_offset_;
  TimestepSpacing spacing_;
  std::int64_t steps_ = 0;
  std::vector<double> timesteps_;
};

}  // namespace domainfusion
