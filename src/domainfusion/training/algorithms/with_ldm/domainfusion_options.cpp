#include "domainfusion/training/algorithms/with_ldm/domainfusion_options.h"

#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"

namespace domainfusion {

void DomainFusionConfig::describe(ConfigFields& fields) {
  fields.auto_switch("latent_distillation", latent_distillation,
                     "learn from the diffusion model's residuals; auto: if these raise confidence, which is measured "
                     "before the first step (plans count on it); on: whatever they do (the paper)");
  fields.boolean("online_augmentation", online_augmentation, "run rounds and train on their synthetic images too");
  fields.real("lambda_syn", lambda_syn, {0, 1000}, "weight of the cross-entropy of synthetic images");
  synthetic_batches.describe(fields);
  fields.text(
      "synthetic_from", synthetic_from,
      "folder of a run with the same data, LDM, seed and augmentation options: its synthetic images are taken over, "
      "in which the classifier that is trained has no part; empty: made in this run");
  fields.text(
      "fidelity_weights", fidelity_weights,
      "best.safetensors of an ERM run of the same network: judges whether synthetic images keep their class, and "
      "leads the search of augmentation.combine = mode; empty: not judged");
}

void DomainFusionOptions::describe(ConfigFields& fields) {
  fields.group("domainfusion", domainfusion);
  fields.group("distillation", distillation);
  fields.group("augmentation", augmentation);
}

void DomainFusionOptions::validate() const {
  warn_of_idle();
  check_shared_styles();
}

// Options that cannot have their effect: a warning, so that runs which carry them can be resumed and repeated.
void DomainFusionOptions::warn_of_idle() const {
  if (domainfusion.online_augmentation) {
    if (augmentation.reference == StyleReference::kRaw && augmentation.combination.rule != CombineRule::kDomainFusion) {
      log_warning(
          "augmentation.reference = raw has no effect: only augmentation.combine = domainfusion compares styles");
    }
    if (augmentation.style_mix == StyleMix::kBoth && augmentation.styles.styles.empty())
      log_warning("augmentation.style_mix = both has no effect without augmentation.styles");
    return;
  }
  std::vector<std::string> idle;
  if (domainfusion.latent_distillation != AutoSwitch::kOff && distillation.images == DistilledImages::kRawAndSynthetic)
    idle.emplace_back("distillation.images = raw_and_synthetic");
  if (!domainfusion.synthetic_from.empty()) idle.emplace_back("domainfusion.synthetic_from");
  if (!domainfusion.fidelity_weights.empty()) idle.emplace_back("domainfusion.fidelity_weights");
  if (!augmentation.styles.styles.empty()) idle.emplace_back("augmentation.styles");
  for (const std::string& option : idle)
    log_warning("{} has no effect without domainfusion.online_augmentation", option);
}

void DomainFusionOptions::check_shared_styles() const {
  if (domainfusion.synthetic_batches.shared_styles == SharedStyles::kNone) return;
  const std::string option = "domainfusion.shared_styles makes raw images of the synthetic part of a batch";
  check<ConfigError>(domainfusion.online_augmentation && domainfusion.lambda_syn > 0,
                     "{}: it needs domainfusion.online_augmentation and a domainfusion.lambda_syn over 0", option);
  check<ConfigError>(domainfusion.synthetic_batches.repeats == 0,
                     "{}, so domainfusion.synthetic_repeats has nothing to limit: set one of them", option);
  check<ConfigError>(distillation.images == DistilledImages::kRaw,
                     "{}, which distillation.images = raw_and_synthetic cannot distil: set one of them", option);
}

}  // namespace domainfusion
