#include "domainfusion/nn/layers/resnet_block.h"

#include <torch/nn/module.h>
#include <torch/types.h>

namespace domainfusion {
namespace {

GroupNorm norm(const ResnetBlockOptions& o, std::int64_t channels) {
  return GroupNorm(o.groups, channels, o.eps, GroupNormImpl::Activation::kSilu);
}

}  // namespace

ResnetBlock2dImpl::ResnetBlock2dImpl(const ResnetBlockOptions& o)
    : norm1_(register_module("norm1", norm(o, o.in_channels))),
      norm2_(register_module("norm2", norm(o, o.out_channels))),
      conv1_(register_module("conv1", Conv2d(three_by_three(o.in_channels, o.out_channels)))),
      conv2_(register_module("conv2", Conv2d(three_by_three(o.out_channels, o.out_channels)))) {
  if (o.time_channels > 0) time_emb_proj_ = register_module("time_emb_proj", Linear(o.time_channels, o.out_channels));
  if (o.in_channels != o.out_channels) {
    conv_shortcut_ = register_module("conv_shortcut", Conv2d(one_by_one(o.in_channels, o.out_channels)));
  }
}

at::Tensor ResnetBlock2dImpl::forward(at::TensorList x_NChw, const at::Tensor& silu_time_NT) {
  const at::Tensor time_NC = time_emb_proj_ ? time_emb_proj_(silu_time_NT) : at::Tensor();
  at::Tensor h = conv1_(norm1_(x_NChw), Conv2dExtras{.per_image_NC = time_NC});
  h = norm2_(h);  // what conv1 made is given back before more memory is taken
  const at::Tensor shortcut = conv_shortcut_ ? conv_shortcut_(x_NChw) : x_NChw[0];
  return conv2_(h, Conv2dExtras{.residual_NChw = shortcut});
}

}  // namespace domainfusion
