#include "domainfusion/ldm_training/options/ldm_pretraining_config.h"

namespace domainfusion {

void LdmStageConfig::describe(ConfigFields& fields) {
  fields.integer("steps", steps, {1, 100000000}, "optimizer steps of this stage");
  fields.integer("batch_size", batch_size, {1, 65536}, "images a step");
  fields.real("lr", lr, {0, 1}, "peak learning rate of Adam; warm-up over 2 % of the steps, cosine decay to 2 % of lr");
  fields.real("ema_decay", ema_decay, {0, 1}, "decay per step of the weight average that is written out");
}

void CompactVaeConfig::describe(ConfigFields& fields) {
  fields.integers("block_out_channels", block_out_channels, {1, 4096}, "width per resolution, full size first");
  fields.integer("layers_per_block", layers_per_block, {1, 8}, "residual blocks per resolution (decoder: one more)");
  fields.integer("latent_channels", latent_channels, {1, 64}, "channels of the latent");
  fields.integer("norm_num_groups", norm_num_groups, {1, 256}, "groups of every group norm");
  fields.real("kl_weight", kl_weight, {0, 1}, "weight of the mean KL divergence per latent element");
  fields.real("squared_weight", squared_weight, {0, 100}, "weight of the mean squared error, beside the L1 error");
  fields.real("edge_weight", edge_weight, {0, 100}, "weight of the L1 error of neighbouring differences");
  fields.group("training", training);
}

void CompactTextConfig::describe(ConfigFields& fields) {
  fields.integer("width", width, {1, 4096}, "hidden size, and cross-attention width of the U-Net");
  fields.integer("layers", layers, {1, 48}, "transformer layers");
  fields.integer("heads", heads, {1, 64}, "attention heads");
  fields.integer("max_tokens", max_tokens, {3, kMaxTokens},
                 "tokens per prompt, start and end included; raised where a caption takes more");
  fields.integer("bpe_merges", bpe_merges, {0, 48894}, "most merges that the vocabulary learns from the captions");
}

void CompactUNetConfig::describe(ConfigFields& fields) {
  fields.integers("block_out_channels", block_out_channels, {1, 4096}, "width per resolution, latent size first");
  fields.integer("layers_per_block", layers_per_block, {1, 8}, "residual blocks per resolution (up path: one more)");
  fields.integer("plain_levels", plain_levels, {0, 16}, "resolutions without attention, from the latent's size on");
  fields.integer("heads", heads, {1, 64}, "attention heads");
  fields.integer("norm_num_groups", norm_num_groups, {1, 256}, "groups of every group norm");
  fields.real("empty_caption_share", empty_caption_share, {0, 1}, "share of empty captions, for guidance");
  fields.group("training", training);
}

void LdmPretrainingConfig::describe(ConfigFields& fields) {
  fields.integer("seed", seed, {0, 1ll << 53}, "fixes every draw");
  fields.integer("trial_seed", trial_seed, {0, 1 << 30},
                 "trial of the 80/20 split; only its IN images are learned from");
  fields.integer("image_size_px", image_size_px, {8, 1024}, "square image size");
  fields.choice("alpha", alpha, alpha_names(), "transparent pictures: as data.alpha of the runs that use the model");
  fields.integer("checkpoint_every_steps", checkpoint_every_steps, {1, 100000000}, "steps between two checkpoints");
  fields.integer("pictures_every_steps", pictures_every_steps, {1, 100000000}, "steps between two picture grids");
  fields.boolean("half_weights", half_weights, "write the weights as float16: half the size");
  fields.group("vae", vae);
  fields.group("text", text);
  fields.group("unet", unet);
}

}  // namespace domainfusion
