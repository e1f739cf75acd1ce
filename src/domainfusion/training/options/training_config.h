#pragma once
// The options of one training run; the algorithm's own options stand beside them in the same recipe.

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/config/config_fields.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/training/averaging/averaging_config.h"

namespace domainfusion {

// Where the values of lr, batch size and so on come from that neither recipe nor --set names (training/hparams.h).
enum class HparamSource { kNone, kDomainbed };

enum class LrDecay { kConstant, kLinear, kCosine, kStep };
enum class OptimizerName { kAdam, kAdamW, kSgd };
// Whether the gradient is taken where the loss is higher nearby (Algorithm::update): SAM, SAGM.
enum class Sharpness { kNone, kSam, kSagm };

struct OptimizerConfig {
  OptimizerName name = OptimizerName::kAdam;
  double lr = 5e-5;
  double head_lr_multiplier = 1;
  double weight_decay = 0;            // added to the gradient (L2); adamw: decoupled
  double momentum = 0.9;              // of sgd
  double beta1 = 0.9, beta2 = 0.999;  // of adam, adamw
  bool nesterov = false;
  LrDecay decay = LrDecay::kConstant;
  std::vector<std::int64_t> decay_steps;
  double decay_factor = 0.1;
  std::int64_t warmup_steps = 0;
  double clip_grad_norm = 0;
  std::int64_t accumulation_steps = 1;
  Sharpness sharpness = Sharpness::kNone;
  double sharpness_rho = 0.05;
  double sharpness_alpha = 1e-3;  // of SAGM
  void describe(ConfigFields& fields);

  // Learning rate of step s = `step` (from 0) of T = `total_steps` with W = warmup_steps. In the first W steps lr * (s
  // + 1) / W; after them, with u = (s - W) / (T - W): lr (constant); lr * (1 - u) (linear); lr * (1 + cos(pi * u)) / 2
  // (cosine, as torch's CosineAnnealingLR); lr * decay_factor^k after k of the decay_steps (step, as torch's
  // MultiStepLR).
  double lr_at(std::int64_t step, std::int64_t total_steps) const;
};

// After which steps the model is validated; F is checkpoint_frequency.
enum class CheckpointAt { kAuto, kMultiples, kDomainBed };

// Of the page that a run writes of itself (report/html/live_report.h).
struct ReportConfig {
  bool live = false;
  void describe(ConfigFields& fields);
};

// How gradients of a batch's parts are added where ranks share it out: as is fastest, or over a fixed number of virtual
// ranks in one binary tree, so that any number of processes gives the same bits.
enum class GradientSum { kFast, kExact };

struct TrainingConfig {
  std::string algorithm = "erm";
  std::string test_domain;                  // held out: never seen before the final evaluation
  std::vector<std::string> source_domains;  // that are trained on; empty: all that are not held out
  std::string cross_validation_domain;      // a second one, for leave-one-domain-out selection; usually empty
  std::string ldm;                          // latent diffusion model (see open_model), for algorithms that use one
  std::string ldm_tokenizer;                // tokenizer folder, for a model in one file
  std::string ldm_prediction_type;          // empty: what the model's files say
  std::vector<std::string> ldm_loras;       // FILE or FILE:SCALE, merged into it
  std::string ldm_vae;                      // folder of a VAE in place of the model's own (TAESD)
  std::string ldm_dtype = "float32";        // in which its networks compute
  std::string candidates;                   // folder of a candidate store
  std::string device = "auto";
  std::string precision = "float32";  // of the classifier's products
  GradientSum sum = GradientSum::kFast;
  std::int64_t virtual_ranks = 4;  // of kExact
  std::int64_t seed = 0;
  std::int64_t trial_seed = 0;
  double holdout_fraction = 0.2;
  HparamSource hparams = HparamSource::kNone;
  std::int64_t hparams_seed = 0;
  std::string benchmark;  // DomainBed's name of the set: its ranges, steps and checkpoint frequency
  bool augment_validation = false;
  std::int64_t steps = 5000;
  std::int64_t epochs = 0;
  std::int64_t checkpoint_frequency = 300;
  CheckpointAt checkpoint_at = CheckpointAt::kAuto;
  double checkpoint_minutes = 10;  // from one checkpoint to the next; 0: at validations alone
  bool keep_checkpoints = false;
  double cost_limit_hours = 24;
  bool tensorboard = true;
  DataConfig data;
  std::string generated;  // option data.generated: a candidate store (run/generated_environments.h)
  LoaderConfig loader;
  OptimizerConfig optimizer;
  ClassifierConfig classifier;
  AveragingConfig averaging;
  ReportConfig report;
  void describe(ConfigFields& fields);

  // ceil(in_images / (source_domains * batch_size)): the steps that see as many images as the IN split holds.
  std::int64_t steps_per_epoch(std::int64_t in_images, std::int64_t source_domains) const;
  // Whether `steps_done` of `total_steps` optimizer steps are followed by a validation: at the multiples of F, or, as
  // DomainBed and SWAD (which call that steps 0, F, 2F, …), after 1, F + 1, 2F + 1, … steps; always at the end. SWAD
  // rounds the number of steps to such a place; here it is the user's.
  bool validates_after(std::int64_t steps_done, std::int64_t total_steps) const;
  // How many of the steps 1 … total_steps that holds for.
  std::int64_t validations(std::int64_t total_steps) const;
  // `steps`, or `epochs` epochs where epochs > 0.
  std::int64_t total_steps(std::int64_t steps_per_epoch) const;
};

}  // namespace domainfusion
