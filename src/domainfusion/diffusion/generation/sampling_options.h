#pragma once
// Steps, strength, guidance and sampler of what is generated, and who decides those that nobody named: a preset.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/weights/few_step.h"

namespace domainfusion {

// auto: few_step for models that were distilled for it (see few_step_kind), else full.
enum class SamplingPreset { kAuto, kFull, kFewStep };

struct Sampling {
  std::int64_t steps = 20;
  double strength = 0.5;
  double guidance_scale = 5;
  std::string scheduler = "ddim";
};

// The options as they stand in a config struct, which derives from this one.
struct SamplingOptions {
  SamplingPreset preset = SamplingPreset::kAuto;
  std::optional<std::int64_t> steps;
  std::optional<double> strength, guidance_scale;
  std::optional<std::string> scheduler;

  void describe_preset(ConfigFields& fields);
  // Gives every open option its value: of `full`, or those for a few steps of a model of this kind.
  void settle(const Sampling& full, const FewStepKind& kind);
  // The values, those still open as `full` has them.
  Sampling sampling(const Sampling& full) const;
};

// A request of these values, without images, prompts and noise.
ImageToImageRequest request_of(const Sampling& sampling);

// Logs the values and why, where few_step holds, and warns of guidance as below. `group`: "augmentation.", or empty.
void tell_sampling(const std::string& group, const SamplingOptions& settled, const FewStepKind& kind);

// A warning, with its reason, where a model that was distilled without guidance is given one.
void warn_of_guidance(const std::string& group, double guidance_scale, const FewStepKind& kind);

// What holds, for records: type "sampling", step 0.
nlohmann::json sampling_record(const SamplingOptions& settled, const FewStepKind& kind);

}  // namespace domainfusion
