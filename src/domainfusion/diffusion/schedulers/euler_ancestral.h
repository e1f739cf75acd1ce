#pragma once
// Ancestral sampling in the noise level: an Euler step below the next level, then noise up to it.

#include "domainfusion/diffusion/schedulers/euler.h"

namespace domainfusion {

// Takes of Euler's fields timestep_spacing and steps_offset, as diffusers' EulerAncestralDiscreteScheduler.
// Differs from it: sample prediction is taken too.
class EulerAncestralScheduler final : public EulerScheduler {
 public:
  explicit EulerAncestralScheduler(const nlohmann::json& scheduler_config);

  bool needs_noise(std::size_t index) const override { return sigma(index + 1) > 0; }
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
};

}  // namespace domainfusion
