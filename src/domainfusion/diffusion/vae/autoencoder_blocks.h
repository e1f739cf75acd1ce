#pragma once
// Encoder and decoder of AutoencoderKL (Rombach et al. 2022), with diffusers' submodule names.

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "domainfusion/diffusion/vae/autoencoder_config.h"
#include "domainfusion/nn/layers/resample.h"
#include "domainfusion/nn/layers/resnet_block.h"

namespace domainfusion {

// Self-attention over all pixels, one head over all channels, residual.
class PixelAttentionImpl : public torch::nn::Module {
 public:
  PixelAttentionImpl(std::int64_t channels, std::int64_t groups);
  at::Tensor forward(const at::Tensor& x_NChw);  // same shape

 private:
  GroupNorm group_norm_;
  Linear to_q_, to_k_, to_v_;
  torch::nn::ModuleList to_out_;
};
TORCH_MODULE(PixelAttention);

// Residual blocks at one resolution, then (unless it is the last level) a halving or doubling of it.
class AutoencoderLevelImpl : public torch::nn::Module {
 public:
  enum class Resample { kNone, kDown, kUp };
  AutoencoderLevelImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t layers, std::int64_t groups,
                       Resample resample);
  at::Tensor forward(at::Tensor x_NChw);

 private:
  std::vector<ResnetBlock2d> resnets_;
  Downsample2d downsampler_{nullptr};
  Upsample2d upsampler_{nullptr};
};
TORCH_MODULE(AutoencoderLevel);

// Two residual blocks around an attention (or none).
class AutoencoderMidBlockImpl : public torch::nn::Module {
 public:
  AutoencoderMidBlockImpl(std::int64_t channels, std::int64_t groups, bool add_attention);
  at::Tensor forward(at::Tensor x_NChw);

 private:
  ResnetBlock2d first_, second_;
  PixelAttention attention_{nullptr};
};
TORCH_MODULE(AutoencoderMidBlock);

class EncoderImpl : public torch::nn::Module {
 public:
  explicit EncoderImpl(const AutoencoderConfig& config);
  // [N, in_channels, H, W] -> [N, 2 latent_channels, H/f, W/f].
  at::Tensor forward(const at::Tensor& image_NCHW);

 private:
  Conv2d conv_in_;
  std::vector<AutoencoderLevel> levels_;
  AutoencoderMidBlock mid_block_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};
TORCH_MODULE(Encoder);

class DecoderImpl : public torch::nn::Module {
 public:
  explicit DecoderImpl(const AutoencoderConfig& config);
  // [N, latent_channels, h, w] -> [N, out_channels, f h, f w].
  at::Tensor forward(const at::Tensor& latent_NChw);

 private:
  Conv2d conv_in_;
  AutoencoderMidBlock mid_block_;
  std::vector<AutoencoderLevel> levels_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};
TORCH_MODULE(Decoder);

}  // namespace domainfusion
