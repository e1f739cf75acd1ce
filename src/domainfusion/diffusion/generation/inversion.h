#pragma once
// DDIM inversion (Song et al. 2021; Mokady et al. 2022): the noisy latents that DDIM leads back to an image, instead of
// random ones, so that regeneration under another prompt keeps what the prompts share.

#include "domainfusion/diffusion/generation/denoising.h"

namespace domainfusion {

// z0 carried through the first `count` of `steps` inverse steps under `prompts` (one per image, guidance 1): the
// latents at the timestep where a DDIM with as many steps takes its last `count`; count = steps is the whole way to
// noise. on_latents sees the latents after each step. No gradient. ConfigError for count outside 1 … steps, and for a
// timestep_spacing that the inverse does not know (linspace).
at::Tensor ddim_inverted(const LatentDiffusion& model, const at::Tensor& z0_NChw,
                         const std::vector<std::string>& prompts, std::int64_t steps, std::int64_t count,
                         const LatentsHook& on_latents = {});

}  // namespace domainfusion
