#pragma once
// Denoising diffusion implicit models (Song et al. 2021, eq. 12).

#include "domainfusion/diffusion/schedulers/noise_schedule.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// Fields of scheduler_config.json besides those of NoiseSchedule; the defaults are those of diffusers' DDIMScheduler.
struct DdimConfig {
  bool clip_sample = true;         // clamp the predicted z0 to +-clip_sample_range
  double clip_sample_range = 1.0;
  bool set_alpha_to_one = true;    // abar after the last step: 1, or abar_0
  std::int64_t steps_offset = 0;   // added to the timesteps of "leading"
  std::string timestep_spacing = "leading";  // "leading", "linspace", "trailing" (Lin et al. 2023, table 2)
  double eta = 0;                  // 0: deterministic; 1: as much noise as DDPM. Not a field of the file.

  // ConfigError naming the field whose value is not supported (thresholding belongs to pixel-space models).
  static DdimConfig from_json(const nlohmann::json& object);
};

class DdimScheduler : public Scheduler {
 public:
  explicit DdimScheduler(const nlohmann::json& scheduler_config, double eta = 0);

  void set_timesteps(std::int64_t steps) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  // With eta > 0 `noise` must be given, else ConfigError.
  at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                  const at::Tensor& noise = {}) override;
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;

  // The clean latents that `prediction` at timesteps()[index] implies, clamped where the config says so.
  at::Tensor predicted_z0(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const;

 private:
  struct Parts {
    at::Tensor z0, epsilon;
  };
  Parts parts_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const;
  std::int64_t timestep(std::size_t index) const;
  double alpha_after(std::size_t index) const;

  NoiseSchedule schedule_;
  DdimConfig config_;
  std::vector<double> timesteps_;
};

}  // namespace domainfusion
