#include "domainfusion/evaluation/dsi/dsi_config.h"

#include <algorithm>
#include <set>

#include "domainfusion/core/error.h"

namespace domainfusion {

void DsiConfig::describe(ConfigFields& fields) {
  fields.choice(
      "threshold_from", threshold_from,
      {{"fixed", DsiThresholdFrom::kFixed}, {"source_validation", DsiThresholdFrom::kSourceValidation}},
      "fixed: `threshold`, said beforehand; source_validation: the candidate with which DSI classifies the source "
      "domains' OUT images best (they are translated too), the lowest on ties");
  fields.real("threshold", threshold, {0, 1}, "an answer is accepted where its largest probability is above this");
  fields.integers("threshold_candidates_percent", threshold_candidates_percent, {1, 100},
                  "thresholds that source validation chooses from, in percent");
  fields.text(
      "subset", subset,
      "whose logits are averaged for the headline: all, or names joined by +, like clean+photo, chosen beforehand");
  fields.boolean("report_subsets", report_subsets,
                 "report every non-empty subset; false: the headline's alone, which needs fewer translations");
  describe_preset(fields);
  fields.integers("start_steps", start_steps, {1, 1000},
                  "denoising steps that a translation goes back, ascending; []: a fifth of the steps, two, three and "
                  "four");
  fields.integer("steps", steps, {1, 1000}, "denoising steps of the whole schedule");
  fields.text("scheduler", scheduler, "sampler: a name of `inspect schedulers`");
  fields.real("eta", eta, {0, 1}, "noise of ddim's steps");
  fields.real("guidance_scale", guidance_scale, {0, 1000}, "classifier-free guidance; up to 1: none");
  fields.text("prompt", prompt, "of all translations; empty, as the models were finetuned");
  fields.integer("image_size_px", image_size_px, {0, 4096}, "size at which images are translated; 0: each model's own");
  fields.integer("seed", seed, {0},
                 "of the noise, which depends on it, on the image's content, the model and the start alone");
  fields.integer("batch_size", batch_size, {1, 4096}, "images that are translated together");
}

std::vector<double> DsiConfig::thresholds() const {
  if (threshold_from == DsiThresholdFrom::kFixed) return {threshold};
  std::vector<double> all;
  for (const std::int64_t percent : threshold_candidates_percent) all.push_back(static_cast<double>(percent) / 100);
  std::sort(all.begin(), all.end());
  return all;
}

void DsiConfig::settle(const FewStepKind& kind) {
  SamplingOptions::settle(full_sampling(), kind);
  if (!start_steps.empty()) return;
  // Of few steps some fifths are the same.
  std::set<std::int64_t> fifths;
  for (std::int64_t fifth = 1; fifth <= 4; ++fifth) fifths.insert(std::max<std::int64_t>(1, *steps * fifth / 5));
  start_steps.assign(fifths.begin(), fifths.end());
}

ImageToImageRequest DsiConfig::request(std::int64_t start_step) const {
  ImageToImageRequest request = request_of(sampling(full_sampling()));
  // image_to_image rounds steps * strength down: half a step more is safe from rounding the other way.
  request.strength = std::min(1.0, (static_cast<double>(start_step) + 0.5) / static_cast<double>(request.steps));
  request.eta = eta;
  return request;
}

void DsiConfig::check_usable(std::int64_t classes) const {
  check<ConfigError>(!thresholds().empty(), "threshold_candidates_percent is empty: name at least one");
  const double lowest = thresholds().front();
  check<ConfigError>(lowest * static_cast<double>(classes) > 1,
                     "threshold {}: a softmax over {} classes always reaches 1/{} = {:.3f}, so every answer for the "
                     "image itself would "
                     "be accepted and DSI would change nothing; choose a higher one",
                     lowest, classes, classes, 1.0 / static_cast<double>(classes));
  check<ConfigError>(
      !start_steps.empty() &&
          std::adjacent_find(start_steps.begin(), start_steps.end(), std::greater_equal<>()) == start_steps.end(),
      "start_steps = [{}]: expected at least one, each larger than the one before", fmt::join(start_steps, ", "));
  check<ConfigError>(start_steps.back() <= sampling(full_sampling()).steps, "start_steps: {} is more than steps = {}",
                     start_steps.back(), sampling(full_sampling()).steps);
}

}  // namespace domainfusion
