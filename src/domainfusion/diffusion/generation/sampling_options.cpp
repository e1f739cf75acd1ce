#include "domainfusion/diffusion/generation/sampling_options.h"

#include "domainfusion/core/log.h"

namespace domainfusion {
namespace {

bool takes_few_steps(SamplingPreset preset, const FewStepKind& kind) {
  return preset == SamplingPreset::kFewStep || (preset == SamplingPreset::kAuto && kind.few_step);
}

}  // namespace

void SamplingOptions::describe_preset(ConfigFields& fields) {
  fields.choice(
      "preset", preset,
      {{"auto", SamplingPreset::kAuto}, {"full", SamplingPreset::kFull}, {"few_step", SamplingPreset::kFewStep}},
      "what decides steps, strength, guidance_scale and scheduler where they are not named: full, or few_step "
      "for models distilled to 1 to 8 steps without guidance (Turbo, LCM, Lightning, Hyper-SD); auto: as the "
      "model's files say");
}

void SamplingOptions::settle(const Sampling& full, const FewStepKind& kind) {
  const bool few = takes_few_steps(preset, kind);
  const Sampling values = few ? Sampling{.steps = kind.steps,
                                         .strength = 0.5,
                                         .guidance_scale = kind.guidance_scale,
                                         .scheduler = kind.scheduler}
                              : full;
  steps = steps.value_or(values.steps);
  strength = strength.value_or(values.strength);
  guidance_scale = guidance_scale.value_or(values.guidance_scale);
  scheduler = scheduler.value_or(values.scheduler);
}

Sampling SamplingOptions::sampling(const Sampling& full) const {
  return {.steps = steps.value_or(full.steps),
          .strength = strength.value_or(full.strength),
          .guidance_scale = guidance_scale.value_or(full.guidance_scale),
          .scheduler = scheduler.value_or(full.scheduler)};
}

ImageToImageRequest request_of(const Sampling& sampling) {
  ImageToImageRequest request;
  request.strength = sampling.strength;
  request.steps = sampling.steps;
  request.guidance_scale = sampling.guidance_scale;
  request.scheduler = sampling.scheduler;
  return request;
}

void tell_sampling(const std::string& group, const SamplingOptions& settled, const FewStepKind& kind) {
  const Sampling values = settled.sampling({});
  if (takes_few_steps(settled.preset, kind)) {
    log_info("{}preset few_step{}: {} steps, strength {}, guidance_scale {}, scheduler {}", group,
             kind.few_step ? ", since " + kind.reason : "", values.steps, values.strength, values.guidance_scale,
             values.scheduler);
  }
  if (settled.preset != SamplingPreset::kFull) warn_of_guidance(group, values.guidance_scale, kind);
}

void warn_of_guidance(const std::string& group, double guidance_scale, const FewStepKind& kind) {
  if (!kind.few_step || guidance_scale <= 1 || kind.guidance_scale > 1) return;
  log_warning(
      "{}guidance_scale = {}: {}, and such models answer as if they were guided already; a second guidance makes "
      "glaring "
      "images at twice the cost: 1 is theirs (where the name misleads, {}preset = full says so)",
      group, guidance_scale, kind.reason, group);
}

nlohmann::json sampling_record(const SamplingOptions& settled, const FewStepKind& kind) {
  const Sampling values = settled.sampling({});
  nlohmann::json record{{"type", "sampling"},
                        {"step", 0},
                        {"preset", takes_few_steps(settled.preset, kind) ? "few_step" : "full"},
                        {"steps", values.steps},
                        {"strength", values.strength},
                        {"guidance_scale", values.guidance_scale},
                        {"scheduler", values.scheduler}};
  if (kind.few_step) record["reason"] = kind.reason;
  return record;
}

}  // namespace domainfusion
