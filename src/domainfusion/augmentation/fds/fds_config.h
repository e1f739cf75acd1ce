#pragma once
// Options of FDS' images.

#include "domainfusion/config/config_fields.h"
#include "domainfusion/diffusion/generation/prompt_mixtures.h"
#include "domainfusion/diffusion/weights/few_step.h"

namespace domainfusion {

// Defaults are the released code's for PACS; where the paper leaves one open, help and docs/architecture.md say so.
struct FdsConfig {
  MixtureSampler sampler = MixtureSampler::kCondition;
  double share_min = 0.3, share_max = 0.7;           // of the first prompt, drawn for each image
  std::optional<double> guidance_min, guidance_max;  // likewise; settled
  std::optional<std::int64_t> steps;                 // settled
  std::optional<std::string> scheduler;              // settled
  double apart = 0.5;
  std::string prompt_template = "{domain}, {class}";
  std::string negative_prompt;
  std::int64_t images_per_class = 32000;  // generated, of each class and pair of domains
  std::int64_t kept_per_class = 570;      // of them
  std::int64_t seed = 0;
  std::int64_t batch_images = 20;
  std::string judge;  // a finished run, or a file of weights in its folder

  void describe(ConfigFields& fields);
  // Gives options that nobody named their values: of the paper, or for a few steps of a model of this kind.
  void settle(const FewStepKind& kind);
  // ConfigError for values that contradict one another. Of settled options, like what follows.
  void check_values() const;
  MixtureSampling sampling() const;
  bool is_guided() const { return *guidance_max > 1; }
};

}  // namespace domainfusion
