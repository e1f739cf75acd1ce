#pragma once
// The residual block of latent diffusion models (diffusers' ResnetBlock2D).

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "domainfusion/nn/layers/conv_2d.h"
#include "domainfusion/nn/layers/group_norm.h"
#include "domainfusion/nn/layers/linear.h"

namespace domainfusion {

struct ResnetBlockOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t time_channels = 0;  // 0: no time embedding (VAE)
  std::int64_t groups = 32;
  double eps = 1e-6;
};

// y = shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))) + time_emb_proj(silu(time))))); the shortcut is a 1x1
// convolution where the channel count changes.
class ResnetBlock2dImpl : public torch::nn::Module {
 public:
  explicit ResnetBlock2dImpl(const ResnetBlockOptions& options);
  // x [N, in, h, w], in one part or in several along the channels; silu_time [N, time_channels], the time embedding
  // after silu (it is the same for all blocks), undefined without one. Returns [N, out, h, w].
  at::Tensor forward(at::TensorList x_NChw, const at::Tensor& silu_time_NT = {});

 private:
  GroupNorm norm1_, norm2_;
  Conv2d conv1_, conv2_;
  Linear time_emb_proj_{nullptr};
  Conv2d conv_shortcut_{nullptr};
};
TORCH_MODULE(ResnetBlock2d);

}  // namespace domainfusion
