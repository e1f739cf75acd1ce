#pragma once
// The levels of the U-Net, with and without attention (diffusers' (CrossAttn)DownBlock2D, (CrossAttn)UpBlock2D,
// UNetMidBlock2DCrossAttn).

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "domainfusion/diffusion/unet/transformer_2d.h"
#include "domainfusion/diffusion/unet/unet_config.h"
#include "domainfusion/nn/layers/resample.h"
#include "domainfusion/nn/layers/resnet_block.h"

namespace domainfusion {

// What all blocks are conditioned on.
struct UNetCondition {
  at::Tensor silu_time_NT;  // time embedding after silu
  at::Tensor context_NMD;   // text embedding
};

class UNetDownBlockImpl : public torch::nn::Module {
 public:
  UNetDownBlockImpl(const UNetConfig& config, std::size_t level);
  // x [N, C_{level-1}, h, w] -> [N, C_level, h/2, w/2] (same size at the last level); appends every result to `skips`.
  at::Tensor forward(at::Tensor x_NChw, const UNetCondition& condition, std::vector<at::Tensor>& skips);

 private:
  std::vector<ResnetBlock2d> resnets_;
  std::vector<Transformer2d> attentions_;  // one per resnet, or none
  Downsample2d downsampler_{nullptr};
};
TORCH_MODULE(UNetDownBlock);

class UNetMidBlockImpl : public torch::nn::Module {
 public:
  explicit UNetMidBlockImpl(const UNetConfig& config);
  at::Tensor forward(at::Tensor x_NChw, const UNetCondition& condition);

 private:
  ResnetBlock2d first_, second_;
  std::vector<Transformer2d> attentions_;
};
TORCH_MODULE(UNetMidBlock);

class UNetUpBlockImpl : public torch::nn::Module {
 public:
  // `index` counts from the lowest resolution up: level = levels - 1 - index.
  UNetUpBlockImpl(const UNetConfig& config, std::size_t index);
  // Takes one entry from the back of `skips` per resnet, then enlarges to the size of the next entry (unless it is the
  // last block).
  at::Tensor forward(at::Tensor x_NChw, const UNetCondition& condition, std::vector<at::Tensor>& skips);

 private:
  std::vector<ResnetBlock2d> resnets_;
  std::vector<Transformer2d> attentions_;
  Upsample2d upsampler_{nullptr};
};
TORCH_MODULE(UNetUpBlock);

}  // namespace domainfusion
