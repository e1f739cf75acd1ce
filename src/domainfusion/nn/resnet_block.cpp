#include "domainfusion/nn/resnet_block.h"

#include <torch/torch.h>

#include "domainfusion/core/error.h"

namespace domainfusion {

torch::nn::GroupNorm checked_group_norm(std::int64_t groups, std::int64_t channels, double eps) {
  check<ConfigError>(groups >= 1 && channels % groups == 0, "norm_num_groups = {} does not divide {} channels", groups,
                     channels);
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, channels).eps(eps));
}

torch::nn::Conv2d conv_2d(std::int64_t from, std::int64_t to, std::int64_t kernel, std::int64_t padding,
                          std::int64_t stride) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(from, to, kernel).padding(padding).stride(stride));
}

ResnetBlock2dImpl::ResnetBlock2dImpl(const ResnetBlockOptions& o)
    : norm1_(register_module("norm1", checked_group_norm(o.groups, o.in_channels, o.eps))),
      norm2_(register_module("norm2", checked_group_norm(o.groups, o.out_channels, o.eps))),
      conv1_(register_module("conv1", conv_2d(o.in_channels, o.out_channels, 3, 1))),
      conv2_(register_module("conv2", conv_2d(o.out_channels, o.out_channels, 3, 1))) {
  if (o.time_channels > 0) {
    time_emb_proj_ = register_module("time_emb_proj", torch::nn::Linear(o.time_channels, o.out_channels));
  }
  if (o.in_channels != o.out_channels) {
    conv_shortcut_ = register_module("conv_shortcut", conv_2d(o.in_channels, o.out_channels, 1, 0));
  }
}

at::Tensor ResnetBlock2dImpl::forward(const at::Tensor& x_NChw, const at::Tensor& silu_time_NT) {
  at::Tensor h = conv1_(at::silu(norm1_(x_NChw)));
  // In-place sums are safe for autograd: no convolution keeps its output for the backward pass.
  if (time_emb_proj_) h.add_(time_emb_proj_(silu_time_NT).unsqueeze(-1).unsqueeze(-1));
  h = conv2_(at::silu(norm2_(h)));
  return h.add_(conv_shortcut_ ? conv_shortcut_(x_NChw) : x_NChw);
}

}  // namespace domainfusion
