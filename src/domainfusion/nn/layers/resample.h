#pragma once
// Halving and doubling of feature maps with a convolution (diffusers' Downsample2D, Upsample2D).

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "domainfusion/nn/layers/conv_2d.h"

namespace domainfusion {

// 3x3 convolution of stride 2. padding 1 is symmetric (U-Net); padding 0 pads one pixel right and below first (VAE).
class Downsample2dImpl : public torch::nn::Module {
 public:
  Downsample2dImpl(std::int64_t channels, std::int64_t padding);
  at::Tensor forward(const at::Tensor& x_NChw);  // [N, C, h, w] -> [N, C, ceil(h/2), ceil(w/2)] (padding 0: floor)

 private:
  Conv2d conv_;
};
TORCH_MODULE(Downsample2d);

// Nearest-neighbour enlargement to height x width, then a 3x3 convolution.
class Upsample2dImpl : public torch::nn::Module {
 public:
  explicit Upsample2dImpl(std::int64_t channels);
  at::Tensor forward(const at::Tensor& x_NChw, std::int64_t height, std::int64_t width);

 private:
  Conv2d conv_;
};
TORCH_MODULE(Upsample2d);

}  // namespace domainfusion
