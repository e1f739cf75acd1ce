#pragma once
// Options of online lightweight augmentation (method section 3).

#include "domainfusion/augmentation/candidates/image_budget.h"
#include "domainfusion/augmentation/rounds/combination.h"
#include "domainfusion/augmentation/rounds/selection.h"
#include "domainfusion/augmentation/style_words.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/generation/sampling_options.h"

namespace domainfusion {

enum class StyleReference { kCurrent, kRaw };
// What decoded images are taken for: as they are, or with what the VAE loses of x, D(E(x)) - x, taken off again (ours).
enum class Detail { kDecoded, kRestored };

struct RoundConfig : SamplingOptions {
  BudgetConfig budget;
  std::int64_t candidates = 4;  // N
  GenerationMode mode = GenerationMode::kImageToImage;
  std::string prompt_template = "a {class}, {domain}";
  std::string negative_prompt;
  StyleConfig styles;
  StyleMix style_mix = StyleMix::kStyles;
  std::string decomposition = "fourier";
  CombinationConfig combination;
  DecompositionConfig decomposition_options;
  SelectionConfig selection;
  StyleReference reference = StyleReference::kCurrent;
  Detail detail = Detail::kDecoded;
  std::int64_t seed = -1;
  std::int64_t batch_images = 8;
  std::int64_t picture_rows = 8;

  void describe(ConfigFields& fields);
  static Sampling full_sampling() { return {.steps = 20, .strength = 0.5, .guidance_scale = 5, .scheduler = "ddim"}; }
  void settle(const FewStepKind& kind);
  // What a candidate's generation is asked for, without images, prompts and noise.
  ImageToImageRequest request() const;
};

}  // namespace domainfusion
