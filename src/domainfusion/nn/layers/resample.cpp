#include "domainfusion/nn/layers/resample.h"

#include <torch/nn/module.h>
#include <torch/types.h>

namespace domainfusion {
namespace {

Conv2dOptions halving(std::int64_t channels, std::int64_t padding) {
  Conv2dOptions halved = three_by_three(channels, channels);
  halved.padding = padding;
  halved.padding_after = padding == 0 ? 1 : 0;
  halved.stride = 2;
  return halved;
}

}  // namespace

Downsample2dImpl::Downsample2dImpl(std::int64_t channels, std::int64_t padding)
    : conv_(register_module("conv", Conv2d(halving(channels, padding)))) {}

at::Tensor Downsample2dImpl::forward(const at::Tensor& x_NChw) { return conv_(x_NChw); }

Upsample2dImpl::Upsample2dImpl(std::int64_t channels)
    : conv_(register_module("conv", Conv2d(three_by_three(channels, channels)))) {}

at::Tensor Upsample2dImpl::forward(const at::Tensor& x_NChw, std::int64_t height, std::int64_t width) {
  return conv_(x_NChw, Conv2dExtras{.height = height, .width = width});
}

}  // namespace domainfusion
