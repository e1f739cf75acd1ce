#include "domainfusion/training/training_config.h"

namespace domainfusion {

void OptimizerConfig::describe(ConfigFields& fields) {
  fields.real("lr", lr, {0, 1e30}, "Adam's learning rate");
  fields.real("weight_decay", weight_decay, {0, 1e30}, "added to the gradient (L2)");
  fields.choice("decay", decay, {{"constant", LrDecay::kConstant}, {"linear", LrDecay::kLinear}},
                "course of the learning rate; linear: to 0 at the last step");
}

double OptimizerConfig::lr_at(std::int64_t step, std::int64_t total_steps) const {
  if (decay == LrDecay::kConstant) return lr;
  return lr * (1 - static_cast<double>(step) / static_cast<double>(total_steps));
}

void TrainingConfig::describe(ConfigFields& fields) {
  fields.text("algorithm", algorithm, "see `domainfusion inspect algorithms`");
  fields.text("test_domain", test_domain, "the domain that is held out");
  fields.text("ldm", ldm, "latent diffusion model: diffusers folder, hub cache folder (models--…), or CompVis file");
  fields.text("ldm_tokenizer", ldm_tokenizer, "tokenizer folder, for a CompVis file, which has none");
  fields.text("ldm_prediction_type", ldm_prediction_type, "epsilon, v_prediction or sample; empty: what the model's files say");
  fields.text("ldm_dtype", ldm_dtype, "type in which it computes: float32, bfloat16 or float16 (GPU only)");
  fields.text("device", device, "auto (CUDA where there is one), cpu, cuda or cuda:N");
  fields.integer("seed", seed, {0, INT64_C(1) << 62}, "of every draw but the split");
  fields.integer("trial_seed", trial_seed, {0, INT64_C(1) << 31}, "of the IN/OUT split (DomainBed's)");
  fields.real("holdout_fraction", holdout_fraction, {0.01, 0.99}, "share of OUT images per domain");
  fields.integer("steps", steps, {1, INT64_C(1) << 40}, "optimizer steps");
  fields.integer("epochs", epochs, {0, INT64_C(1) << 32}, "over 0: that many epochs in place of `steps`");
  fields.integer("checkpoint_frequency", checkpoint_frequency, {1, INT64_C(1) << 40},
                 "F, steps between two source validations, each with a checkpoint");
  fields.choice(
      "checkpoint_at", checkpoint_at,
      {{"auto", CheckpointAt::kAuto}, {"multiples", CheckpointAt::kMultiples}, {"domainbed", CheckpointAt::kDomainBed}},
      "validation after F, 2F, … steps (multiples), or after 1, F + 1, 2F + 1, … as DomainBed and SWAD do (domainbed); "
      "at "
      "the end in any case; auto: domainbed with averaging.method = swad");
  fields.real("cost_limit_hours", cost_limit_hours, {0, 1e9}, "estimated cost above which --yes is needed");
  fields.group("data", data);
  fields.group("loader", loader);
  fields.group("optimizer", optimizer);
  fields.group("classifier", classifier);
  fields.group("averaging", averaging);
}

std::int64_t TrainingConfig::steps_per_epoch(std::int64_t in_images, std::int64_t source_domains) const {
  const std::int64_t images_per_step = source_domains * loader.batch_size;
  return (in_images + images_per_step - 1) / images_per_step;
}

bool TrainingConfig::validates_after(std::int64_t steps_done, std::int64_t total_steps) const {
  const bool domainbed =
      checkpoint_at == CheckpointAt::kDomainBed || (checkpoint_at == CheckpointAt::kAuto && averaging.method == "swad");
  return steps_done == total_steps || (steps_done - (domainbed ? 1 : 0)) % checkpoint_frequency == 0;
}

std::int64_t TrainingConfig::total_steps(std::int64_t steps_per_epoch) const {
  return epochs > 0 ? epochs * steps_per_epoch : steps;
}

}  // namespace domainfusion
