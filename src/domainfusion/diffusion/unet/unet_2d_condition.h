#pragma once
// The conditional U-Net of latent diffusion (diffusers' UNet2DConditionModel).

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "domainfusion/diffusion/unet/unet_blocks.h"
#include "domainfusion/diffusion/unet/unet_config.h"
#include "domainfusion/nn/layers/timestep_embedding.h"

namespace domainfusion {

// What some U-Nets are conditioned on besides time and text; undefined where the config asks for none.
struct UNetAddition {
  at::Tensor pooled_NP;   // SDXL: the pooled text
  at::Tensor size_N6;     // SDXL: height, width of the original, top, left of the crop, height, width of the target; px
  at::Tensor guidance_N;  // latent consistency models: the guidance scale, less one
};

class UNet2dConditionImpl : public torch::nn::Module {
 public:
  // Throws ConfigError for a config whose lists, groups or heads do not fit together.
  explicit UNet2dConditionImpl(const UNetConfig& config);
  // sample [N, in_channels, h, w] (any h, w >= 1), timesteps [N] (integers or fractions), context [N, M,
  // cross_attention_dim]. Returns [N, out_channels, h, w]: the prediction in the model's own type (epsilon, v, sample).
  // Throws ShapeError.
  at::Tensor forward(const at::Tensor& sample_NChw, const at::Tensor& timesteps_N, const at::Tensor& context_NMD,
                     const UNetAddition& addition = {});
  const UNetConfig& config() const { return config_; }

 private:
  at::Tensor silu_time(const at::Tensor& timesteps_N, const UNetAddition& addition, at::ScalarType dtype);
  void check_addition(const UNetAddition& addition, std::int64_t count) const;

  UNetConfig config_;
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  TimestepEmbedding time_embedding_{nullptr}, add_embedding_{nullptr};
  Linear cond_proj_{nullptr};
  std::vector<UNetDownBlock> down_blocks_;
  UNetMidBlock mid_block_{nullptr};
  std::vector<UNetUpBlock> up_blocks_;
  GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(UNet2dCondition);

}  // namespace domainfusion
