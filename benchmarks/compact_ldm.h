#pragma once
// The networks of a compact LDM as `domainfusion pretrain` makes it by default: 64 px images, 8x8x8 latents.

#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"

namespace domainfusion {

constexpr std::int64_t kLatentChannels = 8, kTokens = 16, kTextWidth = 64;

inline AutoencoderConfig compact_vae() {
  AutoencoderConfig c;
  c.block_out_channels = {16, 32, 48, 64};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.latent_channels = kLatentChannels;
  c.sample_size_px = 64;
  return c;
}

inline UNetConfig compact_unet() {
  UNetConfig c;
  c.in_channels = c.out_channels = kLatentChannels;
  c.sample_size = 8;
  c.block_out_channels = {48, 80};
  c.down_block_types = {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D"};
  c.up_block_types = {"CrossAttnUpBlock2D", "CrossAttnUpBlock2D"};
  c.layers_per_block = {1};
  c.attention_head_dim = {4};
  c.cross_attention_dim = kTextWidth;
  c.norm_num_groups = 8;
  return c;
}

}  // namespace domainfusion
