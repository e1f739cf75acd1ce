#pragma once
// The options of `domainfusion pretrain`: sizes and training lengths of a compact LDM.

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

// Lengths and rates of one training stage; both stages use Adam, a linear warm-up and a cosine decay to 2 % of lr.
struct LdmStageConfig {
  std::int64_t steps = 0;
  std::int64_t batch_size = 32;
  double lr = 1e-3;
  double ema_decay = 0.999;  // the written weights are the moving average
  void describe(ConfigFields& fields);
};

struct CompactVaeConfig {
  std::vector<std::int64_t> block_out_channels = {16, 32, 48, 64};  // halves the size between two entries: f = 8
  std::int64_t layers_per_block = 1;
  std::int64_t latent_channels = 8;
  std::int64_t norm_num_groups = 4;  // channels per group stay at 4 or more: fewer make the latent curve rough
  double kl_weight = 1e-6;           // of the mean KL divergence per latent element
  double squared_weight = 1;         // of the squared error: L1 alone is content with greys for a long time
  double edge_weight = 0.25;         // of the L1 error of horizontal and vertical differences, beside L1 of the pixels
  // Small batches: at equal images they reach a far lower loss (docs/results.md).
  LdmStageConfig training{.steps = 14000, .batch_size = 4, .lr = 1e-3, .ema_decay = 0.999};
  void describe(ConfigFields& fields);
};

inline constexpr std::int64_t kMaxTokens = 77;  // CLIP's

struct CompactTextConfig {
  std::int64_t width = 64;
  std::int64_t layers = 2;
  std::int64_t heads = 4;
  std::int64_t max_tokens = 16;
  std::int64_t bpe_merges = 256;
  void describe(ConfigFields& fields);
};

struct CompactUNetConfig {
  std::vector<std::int64_t> block_out_channels = {48, 80};
  std::int64_t layers_per_block = 1;
  std::int64_t plain_levels = 0;  // resolutions without attention, from the latent's on: most of a small step's time
  std::int64_t heads = 4;
  std::int64_t norm_num_groups = 8;
  double empty_caption_share = 0.1;  // captions dropped for classifier-free guidance
  LdmStageConfig training{.steps = 12000, .batch_size = 16, .lr = 1e-3, .ema_decay = 0.999};
  void describe(ConfigFields& fields);
};

struct LdmPretrainingConfig {
  std::int64_t seed = 0;
  std::int64_t trial_seed = 0;  // of the 80/20 split whose IN images are learned from
  std::int64_t image_size_px = 64;
  Alpha alpha = Alpha::kDrop;  // see DataConfig
  std::int64_t checkpoint_every_steps = 500;
  std::int64_t pictures_every_steps = 1000;
  bool half_weights = false;
  CompactVaeConfig vae;
  CompactTextConfig text;
  CompactUNetConfig unet;
  void describe(ConfigFields& fields);
};

}  // namespace domainfusion
