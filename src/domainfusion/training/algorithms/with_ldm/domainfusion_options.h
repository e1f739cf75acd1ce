#pragma once
// The options of DomainFusion, and which of them go together.

#include <string>

#include "domainfusion/augmentation/rounds/round_config.h"
#include "domainfusion/distillation/distillation_config.h"
#include "domainfusion/training/algorithms/with_ldm/synthetic_batches.h"

namespace domainfusion {

struct DomainFusionConfig {
  AutoSwitch latent_distillation = AutoSwitch::kAuto;
  bool online_augmentation = true;
  double lambda_syn = 1;
  SyntheticBatchesConfig synthetic_batches;
  std::string synthetic_from;    // a run folder; empty: this run makes its synthetic images itself
  std::string fidelity_weights;  // a trained classifier that judges the class of synthetic images; empty: not judged

  void describe(ConfigFields& fields);
};

struct DomainFusionOptions {
  DomainFusionConfig domainfusion;
  DistillationConfig distillation;
  RoundConfig augmentation;

  void describe(ConfigFields& fields);
  // ConfigError for options that exclude each other, a warning for those that cannot have their effect.
  void validate() const;

 private:
  void check_shared_styles() const;
  void warn_of_idle() const;
};

}  // namespace domainfusion
