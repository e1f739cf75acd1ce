#pragma once
// Images from noise alone under mixtures of two prompts: the three samplers of FDS (feedback-guided domain synthesis,
// Noori et al., WACV 2025), which looks for images between two domains.

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/diffusion/generation/denoising.h"
#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

// What is mixed of prompts 1 and 2, with the share a of the first; c: text embeddings, e: the U-Net's prediction.
enum class MixtureSampler {
  kCondition,     // a c1 + (1 - a) c2
  kPrediction,    // a e(c1) + (1 - a) e(c2)
  kTrajectories,  // a z1 + (1 - a) z2 of the latents that each prompt alone leads one noise to; then as kCondition
};

// Their words in configs: "condition", "prediction", "trajectories".
std::vector<std::pair<std::string, MixtureSampler>> mixture_samplers();

struct MixtureSampling {
  MixtureSampler sampler = MixtureSampler::kCondition;
  std::int64_t steps = 50;
  double apart = 0.5;  // of kTrajectories, 0 … 1: share of the steps that are taken before the latents are mixed
  std::string scheduler = "ddim";  // see make_scheduler; ddim is deterministic here (eta = 0)
  std::string negative_prompt;     // of all images
};

struct PromptMixture {
  std::string first, second;
  double first_share = 0.5;  // a, 0 … 1
  // e = e_negative + guidance_scale (e_mixed - e_negative), >= 1; where all images have 1, e_mixed alone.
  double guidance_scale = 5;
};

struct MixtureRequest : MixtureSampling {
  std::vector<PromptMixture> mixtures;  // one per image
  // Image i draws all its noise from stream i, so that grouping images into batches changes nothing.
  std::vector<RandomStream> noise_streams;
  LatentsHook
      on_latents;  // sees the noise, and the latents after each step; while they are apart, those of both prompts
};

// The final scaled latents [N, C, h, w], float32, of the model's size; no gradient. ConfigError for values out of range
// or that no scheduler of this model takes, and for different guidance scales where the model embeds the scale;
// ShapeError unless there is one stream per image.
at::Tensor mixed_latents(const LatentDiffusion& model, MixtureRequest request);

// Their images [N, 3, S, S] in [0, 1].
at::Tensor mixed_images(const LatentDiffusion& model, MixtureRequest request);

// ConfigError for options that cannot work with a model of this scheduler_config.json.
void check_mixture_sampling(const nlohmann::json& scheduler_config, const MixtureSampling& sampling);

// U-Net passes that an image takes, those of guidance included, and the rows of the U-Net's batch that it takes at
// most.
std::int64_t unet_passes(const nlohmann::json& scheduler_config, const MixtureSampling& sampling, bool guided);
std::int64_t rows_per_image(const MixtureSampling& sampling, bool guided);

}  // namespace domainfusion
