#include "domainfusion/ldm_training/options/ldm_finetuning_config.h"

namespace domainfusion {

void LdmFinetuningConfig::describe(ConfigFields& fields) {
  fields.integer("seed", seed, {0, 1ll << 53}, "fixes every draw");
  fields.integer("trial_seed", trial_seed, {0, 1 << 30},
                 "trial of the 80/20 split; only its IN images are learned from");
  fields.integer("image_size_px", image_size_px, {0, 4096}, "square image size; 0: the model's own");
  fields.choice("alpha", alpha, alpha_names(), "transparent pictures: as data.alpha of the runs that use the model");
  fields.text("prompt", prompt, "caption of all images, {class} standing for an image's class; empty, as in DSI: none");
  fields.integer("steps", steps, {1, 100000000}, "optimizer steps");
  fields.integer("batch_size", batch_size, {1, 65536}, "images a step");
  fields.integer("micro_batch_size", micro_batch_size, {0, 65536},
                 "images that are worked on at once: fewer need less memory, gradients add up to the batch's; 0: all");
  fields.boolean("gradient_checkpointing", gradient_checkpointing,
                 "compute each layer of the U-Net again in the backward pass: less memory, about a third more time");
  fields.real("lr", lr, {0, 1}, "learning rate of AdamW");
  fields.boolean("cosine_decay", cosine_decay, "warm up over 2 % of the steps, then decay to 2 % of lr; else lr stays");
  fields.real("weight_decay", weight_decay, {0, 1}, "decoupled decay of the weights, times lr per step");
  fields.real("ema_decay", ema_decay, {0, 1}, "decay per step of the weight average that is written out");
  fields.integer("checkpoint_every_steps", checkpoint_every_steps, {1, 100000000}, "steps between two checkpoints");
  fields.boolean("half_weights", half_weights, "write the U-Net's weights as float16: half the size");
  fields.integer(
      "lora_rank", lora_rank, {0, 1024},
      "train a LoRA of this rank beside the attentions' weights in place of these: megabytes, and a few GB of "
      "memory; --lora, dsi and cdga.models take it. lr may be ten times as large. 0: all weights");
}

}  // namespace domainfusion
