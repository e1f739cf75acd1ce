#pragma once
// The residual block of latent diffusion models (diffusers' ResnetBlock2D).

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

namespace domainfusion {

// A group norm whose group count divides the channels, else ConfigError that names norm_num_groups.
torch::nn::GroupNorm checked_group_norm(std::int64_t groups, std::int64_t channels, double eps);

// 2-D convolution, square kernel.
torch::nn::Conv2d conv_2d(std::int64_t from, std::int64_t to, std::int64_t kernel, std::int64_t padding,
                          std::int64_t stride = 1);

struct ResnetBlockOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t time_channels = 0;  // 0: no time embedding (VAE)
  std::int64_t groups = 32;
  double eps = 1e-6;
};

// y = shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))) + time_emb_proj(silu(time))))); the shortcut is a 1x1 convolution
// where the channel count changes.
class ResnetBlock2dImpl : public torch::nn::Module {
 public:
  explicit ResnetBlock2dImpl(const ResnetBlockOptions& options);
  // x [N, in, h, w]; silu_time [N, time_channels], the time embedding after silu (it is the same for all blocks), undefined
  // without one. Returns [N, out, h, w].
  at::Tensor forward(const at::Tensor& x_NChw, const at::Tensor& silu_time_NT = {});

 private:
  torch::nn::GroupNorm norm1_, norm2_;
  torch::nn::Conv2d conv1_, conv2_;
  torch::nn::Linear time_emb_proj_{nullptr};
  torch::nn::Conv2d conv_shortcut_{nullptr};
};
TORCH_MODULE(ResnetBlock2d);

}  // namespace domainfusion
