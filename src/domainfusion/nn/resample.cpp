#include "domainfusion/nn/resample.h"

#include <torch/torch.h>

#include "domainfusion/nn/resnet_block.h"

namespace domainfusion {

Downsample2dImpl::Downsample2dImpl(std::int64_t channels, std::int64_t padding)
    : pad_right_below_(padding == 0), conv_(register_module("conv", conv_2d(channels, channels, 3, padding, 2))) {}

at::Tensor Downsample2dImpl::forward(const at::Tensor& x_NChw) {
  return conv_(pad_right_below_ ? at::constant_pad_nd(x_NChw, {0, 1, 0, 1}) : x_NChw);
}

Upsample2dImpl::Upsample2dImpl(std::int64_t channels)
    : conv_(register_module("conv", conv_2d(channels, channels, 3, 1))) {}

at::Tensor Upsample2dImpl::forward(const at::Tensor& x_NChw, std::int64_t height, std::int64_t width) {
  return conv_(at::upsample_nearest2d(x_NChw, at::IntArrayRef({height, width})));
}

}  // namespace domainfusion
