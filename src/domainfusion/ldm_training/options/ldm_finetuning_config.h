#pragma once
// The options of `domainfusion finetune`. Defaults are those of DSI's published configurations for Stable Diffusion
// where there are such (256 px, batches of 48, lr 1e-4 without decay, weight average).

#include "domainfusion/ldm_training/options/ldm_pretraining_config.h"

namespace domainfusion {

struct LdmFinetuningConfig {
  std::int64_t seed = 0;
  std::int64_t trial_seed = 0;     // of the 80/20 split whose IN images are learned from
  std::int64_t image_size_px = 0;  // 0: the model's own
  Alpha alpha = Alpha::kDrop;      // see DataConfig
  std::string prompt;              // "{class}": the word of the image's class
  std::int64_t steps = 2000;
  std::int64_t batch_size = 48;
  std::int64_t micro_batch_size = 0;  // images that are worked on at once; 0: all of a batch
  bool gradient_checkpointing = false;
  double lr = 1e-4;
  bool cosine_decay = false;
  double weight_decay = 0.01;
  double ema_decay = 0.9999;
  std::int64_t checkpoint_every_steps = 500;
  bool half_weights = false;
  std::int64_t lora_rank = 0;  // 0: all weights are trained
  void describe(ConfigFields& fields);

  LdmStageConfig stage() const { return {.steps = steps, .batch_size = batch_size, .lr = lr, .ema_decay = ema_decay}; }
  // Images of a part of the batch; every part but the last has as many.
  std::int64_t part_size() const { return micro_batch_size > 0 ? std::min(micro_batch_size, batch_size) : batch_size; }
  std::int64_t parts() const { return (batch_size + part_size() - 1) / part_size(); }
};

}  // namespace domainfusion
