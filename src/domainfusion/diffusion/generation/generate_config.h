#pragma once
// Options of generating images from images.

#include "domainfusion/config/config_fields.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct GenerateConfig {
  std::string prompt, negative_prompt, inversion_prompt;
  GenerationMode mode = GenerationMode::kImageToImage;
  double strength = 0.5;
  std::int64_t steps = 20;
  double guidance_scale = 5;
  std::string scheduler = "auto";
  double eta = 0;
  std::int64_t seed = 0;
  std::int64_t size_px = 0;
  Alpha alpha = Alpha::kWhite;
  std::int64_t batch_size = 4;
  std::int64_t vae_tile_px = 0;

  void describe(ConfigFields& fields);
  // Without images, prompts and noise.
  ImageToImageRequest request() const;
};

}  // namespace domainfusion
