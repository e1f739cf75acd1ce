#include "domainfusion/training/options/training_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace domainfusion {
namespace {

std::int64_t first_validation(const TrainingConfig& config) {
  const bool domainbed = config.checkpoint_at == CheckpointAt::kDomainBed ||
                         (config.checkpoint_at == CheckpointAt::kAuto && config.averaging.method == "swad");
  return domainbed ? 1 : config.checkpoint_frequency;
}

}  // namespace

void OptimizerConfig::describe(ConfigFields& fields) {
  fields.choice("name", name,
                {{"adam", OptimizerName::kAdam}, {"adamw", OptimizerName::kAdamW}, {"sgd", OptimizerName::kSgd}},
                "sgd: with momentum");
  fields.real("lr", lr, {0, 1e30}, "learning rate");
  fields.real("head_lr_multiplier", head_lr_multiplier, {0, 1e6},
              "learning rate of the classifier's head in units of lr");
  fields.real("weight_decay", weight_decay, {0, 1e30},
              "added to the gradient (L2); adamw: weights shrink by lr times this");
  fields.real("momentum", momentum, {0, 0.9999}, "of sgd");
  fields.real("beta1", beta1, {0, 0.9999}, "of adam, adamw: what the mean gradient keeps in a step");
  fields.real("beta2", beta2, {0, 0.99999999}, "of adam, adamw: what the mean square keeps in a step");
  fields.boolean("nesterov", nesterov, "sgd: Nesterov's momentum");
  fields.choice(
      "decay", decay,
      {{"constant", LrDecay::kConstant},
       {"linear", LrDecay::kLinear},
       {"cosine", LrDecay::kCosine},
       {"step", LrDecay::kStep}},
      "course of the learning rate; linear, cosine: towards 0, which it would reach one step after the last; step: by "
      "decay_factor at decay_steps");
  fields.integers("decay_steps", decay_steps, {0, INT64_C(1) << 40}, "step: the steps at which the rate changes");
  fields.real("decay_factor", decay_factor, {0, 1}, "step: what it is multiplied by at each of them");
  fields.integer("warmup_steps", warmup_steps, {0, INT64_C(1) << 40},
                 "first steps, in which the rate rises linearly from 0");
  fields.real("clip_grad_norm", clip_grad_norm, {0, 1e30}, "largest L2 norm of the whole gradient; 0: not clipped");
  fields.integer("accumulation_steps", accumulation_steps, {1, 65536},
                 "parts in which a step's batch is worked, to save memory; batch norm and dropout see parts");
  fields.choice("sharpness", sharpness,
                {{"none", Sharpness::kNone}, {"sam", Sharpness::kSam}, {"sagm", Sharpness::kSagm}},
                "sam: the gradient where, within sharpness_rho, the loss is highest to first order; sagm: that of a "
                "point moved by -sharpness_alpha times the gradient besides, and the plain one; each doubles the cost");
  fields.real("sharpness_rho", sharpness_rho, {0, 1e6}, "sam, sagm: distance to that point");
  fields.real("sharpness_alpha", sharpness_alpha, {0, 1e6}, "sagm: how far down the gradient it is moved");
}

double OptimizerConfig::lr_at(std::int64_t step, std::int64_t total_steps) const {
  if (step < warmup_steps) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  const double done = static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
  if (decay == LrDecay::kLinear) return lr * (1 - done);
  if (decay == LrDecay::kCosine) return lr * 0.5 * (1 + std::cos(std::numbers::pi * done));
  if (decay == LrDecay::kConstant) return lr;
  const auto passed =
      std::count_if(decay_steps.begin(), decay_steps.end(), [&](std::int64_t at) { return at <= step; });
  return lr * std::pow(decay_factor, static_cast<double>(passed));
}

void ReportConfig::describe(ConfigFields& fields) {
  fields.boolean("live", live,
                 "write RUN/report.html anew at every validation (`domainfusion train`): a page for a browser, which "
                 "reloads itself");
}

void TrainingConfig::describe(ConfigFields& fields) {
  fields.text("algorithm", algorithm, "see `domainfusion inspect algorithms`");
  fields.text("test_domain", test_domain, "the domain that is held out");
  fields.texts("source_domains", source_domains, "the domains that are trained on; empty: all that are not held out");
  fields.text(
      "cross_validation_domain", cross_validation_domain,
      "a second held-out domain whose images are evaluated at every validation, for leave-one-domain-out selection");
  fields.text("ldm", ldm,
              "latent diffusion model: diffusers folder, hub cache folder (models--…), CompVis file, or the name of a "
              "fetched one "
              "(\"sd-turbo\", \"hf:OWNER/NAME\")");
  fields.text("ldm_tokenizer", ldm_tokenizer, "tokenizer folder, for a CompVis file, which has none");
  fields.texts("ldm_loras", ldm_loras,
               "LoRA files merged into the latent diffusion model, each FILE or FILE:SCALE; a scale of 1 unless named");
  fields.text("ldm_vae", ldm_vae,
              "folder of a VAE in place of the model's own: AutoencoderKL, or AutoencoderTiny (TAESD) in either of its "
              "layouts");
  fields.text("ldm_prediction_type", ldm_prediction_type,
              "epsilon, v_prediction or sample; empty: what the model's files say");
  fields.text("ldm_dtype", ldm_dtype, "type in which it computes: float32, bfloat16 or float16 (GPU only)");
  fields.text(
      "candidates", candidates,
      "candidate store: a folder of generated images that runs share, so that none is made twice; empty: cdga and "
      "fds keep their images in the run folder, rounds keep no candidates");
  fields.text("device", device, "auto (CUDA where there is one), cpu, cuda or cuda:N");
  fields.text("precision", precision,
              "of the classifier's products: float32, or bfloat16 (mixed: weights stay float32)");
  fields.choice(
      "sum", sum, {{"fast", GradientSum::kFast}, {"exact", GradientSum::kExact}},
      "how ranks add gradients: fast; or exact: the same bits whatever the number of processes, by virtual_ranks "
      "threads of which each process runs its share, with a model each");
  fields.integer("virtual_ranks", virtual_ranks, {1, 1024}, "of sum = exact; the number of processes divides it");
  fields.integer("seed", seed, {0, INT64_C(1) << 62}, "of every draw but the split");
  fields.integer("trial_seed", trial_seed, {0, INT64_C(1) << 31}, "of the IN/OUT split (DomainBed's)");
  fields.real("holdout_fraction", holdout_fraction, {0.01, 0.99}, "share of OUT images per domain");
  fields.choice("hparams", hparams, {{"none", HparamSource::kNone}, {"domainbed", HparamSource::kDomainbed}},
                "domainbed: what neither recipe nor --set names of lr, weight decay, batch size, dropout, "
                "augmentation, steps and "
                "checkpoint frequency takes DomainBed's value for (hparams_seed, trial_seed); the last two only if "
                "`benchmark` names the set");
  fields.integer("hparams_seed", hparams_seed, {0, INT64_C(1) << 31},
                 "0: DomainBed's default values; else random ones");
  fields.text(
      "benchmark", benchmark,
      "DomainBed's name of the set (PACS, VLCS, OfficeHome, TerraIncognita, DomainNet), for its ranges of values");
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
  fields.real(
      "checkpoint_minutes", checkpoint_minutes, {0, 1e6},
      "a checkpoint also after that much time without one, so that kills cost no more; 0: at validations alone");
  fields.boolean("keep_checkpoints", keep_checkpoints,
                 "keep each validation's checkpoint, as checkpoint-STEP.safetensors");
  fields.boolean("augment_validation", augment_validation,
                 "source OUT images are augmented as in training, as DomainBed does (SWAD and MIRO do not)");
  fields.real("cost_limit_hours", cost_limit_hours, {0, 1e9}, "estimated cost above which --yes is needed");
  fields.boolean("tensorboard", tensorboard, "also write the records as TensorBoard event files into the run folder");
  fields.group("data", data);
  fields.text("data.generated", generated,
              "candidate store: what it has of cdga's translations of this run's source images becomes further domains "
              "to train on, one for each destination");
  fields.group("loader", loader);
  fields.group("optimizer", optimizer);
  fields.group("classifier", classifier);
  fields.group("averaging", averaging);
  fields.group("report", report);
}

std::int64_t TrainingConfig::steps_per_epoch(std::int64_t in_images, std::int64_t source_domains) const {
  const std::int64_t images_per_step = source_domains * loader.batch_size;
  return (in_images + images_per_step - 1) / images_per_step;
}

bool TrainingConfig::validates_after(std::int64_t steps_done, std::int64_t total_steps) const {
  return steps_done == total_steps || (steps_done - first_validation(*this)) % checkpoint_frequency == 0;
}

std::int64_t TrainingConfig::validations(std::int64_t total_steps) const {
  const std::int64_t behind_first = total_steps - first_validation(*this);
  if (behind_first < 0) return 1;  // the end's
  return behind_first / checkpoint_frequency + 1 + (behind_first % checkpoint_frequency != 0);
}

std::int64_t TrainingConfig::total_steps(std::int64_t steps_per_epoch) const {
  return epochs > 0 ? epochs * steps_per_epoch : steps;
}

}  // namespace domainfusion
