#pragma once
// Options of generating images from images.

#include "domainfusion/config/config_fields.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/generation/sampling_options.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct GenerateConfig : SamplingOptions {
  std::string prompt, negative_prompt, inversion_prompt;
  GenerationMode mode = GenerationMode::kImageToImage;
  double eta = 0;
  std::int64_t seed = 0;
  std::int64_t size_px = 0;
  Alpha alpha = Alpha::kWhite;
  std::int64_t batch_size = 4;
  std::int64_t vae_tile_px = 0;

  void describe(ConfigFields& fields);
  static Sampling full_sampling() { return {.steps = 20, .strength = 0.5, .guidance_scale = 5, .scheduler = "auto"}; }
  void settle(const FewStepKind& kind);
  // Without images, prompts and noise.
  ImageToImageRequest request() const;
};

}  // namespace domainfusion
