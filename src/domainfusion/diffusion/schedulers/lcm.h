#pragma once
// Latent consistency models (Luo et al. 2023, algorithm 3): each step predicts the clean latents and noises them again.

#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/noise/prediction_parts.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// Timesteps are evenly spaced indices into the original_inference_steps that the model was distilled on. z0 of a step
// is what the boundary conditions make of the prediction (diffusers' `denoised`).
class LcmScheduler : public Scheduler {
 public:
  explicit LcmScheduler(const nlohmann::json& scheduler_config);

  // Up to original_inference_steps; strength leaves the last of them, as diffusers' StableDiffusionImg2ImgPipeline
  // does.
  void set_timesteps(std::int64_t steps) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  bool needs_noise(std::size_t index) const override { return index + 1 < timesteps_.size(); }
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;

 private:
  std::int64_t timestep(std::size_t index) const;

  NoiseSchedule schedule_;
  SampleClipping clipping_;
  std::int64_t original_inference_steps_;
  double timestep_scaling_;
  std::vector<double> timesteps_;
};

}  // namespace domainfusion
