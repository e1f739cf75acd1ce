#include "domainfusion/diffusion/generation/inversion.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/schedulers/ddim_inverse.h"

namespace domainfusion {

at::Tensor ddim_inverted(const LatentDiffusion& model, const at::Tensor& z0_NChw,
                         const std::vector<std::string>& prompts, std::int64_t steps, std::int64_t count,
                         const LatentsHook& on_latents) {
  const torch::NoGradGuard no_grad;
  DdimInverseScheduler scheduler(model.scheduler_config());
  scheduler.set_timesteps(steps);
  check<ConfigError>(count >= 1 && count <= steps, "{} of {} inversion steps: expected 1 … {}", count, steps, steps);
  const GuidedPrediction predict(model, prompts, "", 1.0);
  at::Tensor z = z0_NChw;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    z = scheduler.step(predict(z, scheduler.timesteps()[i]), i, z).sample;
    if (on_latents) on_latents(z);
  }
  return z;
}

}  // namespace domainfusion
