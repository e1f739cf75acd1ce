#pragma once
// The options of DSI at test time. Sampling as the released code: DDIM without noise of its own, no guidance, the empty
// prompt.

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/generation/sampling_options.h"

namespace domainfusion {

enum class DsiThresholdFrom { kFixed, kSourceValidation };

struct DsiConfig : SamplingOptions {
  DsiThresholdFrom threshold_from = DsiThresholdFrom::kFixed;
  double threshold = 0.9;
  std::vector<std::int64_t> threshold_candidates_percent = {50, 60, 70, 80, 90, 95, 99};
  std::string subset = "all";
  bool report_subsets = true;
  std::vector<std::int64_t> start_steps;  // none: one to four fifths of the steps
  double eta = 0;
  std::string prompt;
  std::int64_t image_size_px = 0;
  std::int64_t seed = 0;
  std::int64_t batch_size = 16;
  void describe(ConfigFields& fields);
  static Sampling full_sampling() { return {.steps = 50, .strength = 1, .guidance_scale = 1, .scheduler = "ddim"}; }
  void settle(const FewStepKind& kind);

  // Ascending. The fixed threshold, or the candidates.
  std::vector<double> thresholds() const;
  // How an image goes back `start_step` of the steps and returns; without images, prompts and noise.
  ImageToImageRequest request(std::int64_t start_step) const;
  // ConfigError: a threshold that accepts every answer of a classifier of `classes` classes; start_steps that are none,
  // not ascending or more than `steps`.
  void check_usable(std::int64_t classes) const;
};

}  // namespace domainfusion
