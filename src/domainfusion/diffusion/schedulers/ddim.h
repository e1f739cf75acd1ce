#pragma once
// Denoising diffusion implicit models (Song et al. 2021, eq. 12).

#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/noise/prediction_parts.h"
#include "domainfusion/diffusion/noise/timestep_spacing.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// Fields of scheduler_config.json besides those of NoiseSchedule; the defaults are those of diffusers' DDIMScheduler.
struct DdimConfig {
  SampleClipping clipping;
  bool set_alpha_to_one = true;   // abar after the last step: 1, or abar_0
  std::int64_t steps_offset = 0;  // added to the timesteps of "leading"
  TimestepSpacing timestep_spacing = TimestepSpacing::kLeading;
  double eta =
      0;  // 0: deterministic; 1: as much noise as DDPM. No field of diffusers' files: an argument of its step there.

  // ConfigError naming the field whose value is not supported.
  static DdimConfig from_json(const nlohmann::json& object);
};

class DdimScheduler : public Scheduler {
 public:
  explicit DdimScheduler(const nlohmann::json& scheduler_config);

  void set_timesteps(std::int64_t steps) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  bool needs_noise(std::size_t /*index*/) const override { return config_.eta > 0; }
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;

 private:
  std::int64_t timestep(std::size_t index) const;
  double alpha_after(std::size_t index) const;

  NoiseSchedule schedule_;
  DdimConfig config_;
  std::int64_t steps_ = 0;
  std::vector<double> timesteps_;
};

}  // namespace domainfusion
