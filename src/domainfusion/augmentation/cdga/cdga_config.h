#pragma once
// Options of CDGA's generation.

#include "domainfusion/augmentation/style_words.h"
#include "domainfusion/config/config_fields.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/generation/sampling_options.h"

namespace domainfusion {

// Defaults are those of a public re-implementation, which the paper does not confirm.
struct CdgaConfig : SamplingOptions {
  std::int64_t copies = 1;
  std::string prompt_template = "a {class}, {domain}";
  std::string negative_prompt;
  bool self_pairs = false;
  std::vector<std::string> towards;  // domain names; empty: every source domain
  StyleConfig styles;                // further destinations
  std::vector<std::string> models;   // DOMAIN=FOLDER: who translates to that domain in place of the run's LDM
  std::int64_t seed = 0;
  std::int64_t batch_images = 8;
  std::int64_t batch_multiplier = 1;  // of the training that follows

  void describe(ConfigFields& fields);
  static Sampling full_sampling() {
    return {.steps = 50, .strength = 0.75, .guidance_scale = 7.5, .scheduler = "auto"};
  }
  void settle(const FewStepKind& kind) { SamplingOptions::settle(full_sampling(), kind); }
  // Without images, prompts and noise.
  ImageToImageRequest request() const;
};

}  // namespace domainfusion
