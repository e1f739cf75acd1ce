#include "domainfusion/diffusion/unet/unet_2d_condition.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr double kGuidanceUnit = 1000;  // a guidance of w is embedded as the time step 1000 w

}  // namespace

UNet2dConditionImpl::UNet2dConditionImpl(const UNetConfig& config) : config_(config) {
  config_.validate("U-Net");
  const std::int64_t first = config_.block_out_channels.front();
  conv_in_ = register_module("conv_in", Conv2d(three_by_three(config_.in_channels, first)));
  time_embedding_ = register_module("time_embedding", TimestepEmbedding(first, config_.time_channels()));
  if (config_.time_cond_proj_dim > 0)
    cond_proj_ = time_embedding_->register_module("cond_proj", Linear(config_.time_cond_proj_dim, first, false));
  if (config_.is_xl()) {
    add_embedding_ = register_module(
        "add_embedding", TimestepEmbedding(config_.projection_class_embeddings_input_dim, config_.time_channels()));
  }
  auto down = register_module("down_blocks", torch::nn::ModuleList());
  auto up = register_module("up_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i < config_.levels(); ++i) {
    down_blocks_.emplace_back(config_, i);
    up_blocks_.emplace_back(config_, i);
    down->push_back(down_blocks_.back());
    up->push_back(up_blocks_.back());
  }
  mid_block_ = register_module("mid_block", UNetMidBlock(config_));
  conv_norm_out_ = register_module(
      "conv_norm_out", GroupNorm(config_.norm_num_groups, first, config_.norm_eps, GroupNormImpl::Activation::kSilu));
  conv_out_ = register_module("conv_out", Conv2d(three_by_three(first, config_.out_channels)));
}

at::Tensor UNet2dConditionImpl::silu_time(const at::Tensor& timesteps_N, const UNetAddition& addition,
                                          at::ScalarType dtype) {
  at::Tensor waves =
      sinusoidal_embedding(timesteps_N, config_.block_out_channels.front(), config_.flip_sin_to_cos, config_.freq_shift)
          .to(dtype);
  if (cond_proj_) {
    const at::Tensor guidance =
        sinusoidal_embedding(addition.guidance_N * kGuidanceUnit, config_.time_cond_proj_dim, false, 1);
    waves = waves + cond_proj_(guidance.to(dtype));
  }
  at::Tensor time = time_embedding_(waves);
  if (add_embedding_) {
    const at::Tensor sizes = sinusoidal_embedding(addition.size_N6.flatten(), config_.addition_time_embed_dim,
                                                  config_.flip_sin_to_cos, config_.freq_shift)
                                 .reshape({timesteps_N.size(0), -1});
    time = time + add_embedding_(at::cat({addition.pooled_NP.to(dtype), sizes.to(dtype)}, 1));
  }
  return at::silu(time);
}

void UNet2dConditionImpl::check_addition(const UNetAddition& addition, std::int64_t count) const {
  const auto has = [&](const at::Tensor& tensor, at::IntArrayRef shape) {
    return tensor.defined() && tensor.sizes() == shape;
  };
  check<ShapeError>(
      !config_.is_xl() ||
          (has(addition.pooled_NP, {count, config_.pooled_channels()}) && has(addition.size_N6, {count, 6})),
      "U-Net of SDXL: expected pooled text [{}, {}] and sizes [{}, 6]", count, config_.pooled_channels(), count);
  check<ShapeError>(config_.time_cond_proj_dim == 0 || has(addition.guidance_N, {count}),
                    "U-Net of a latent consistency model: expected {} guidance scales", count);
}

at::Tensor UNet2dConditionImpl::forward(const at::Tensor& sample_NChw, const at::Tensor& timesteps_N,
                                        const at::Tensor& context_NMD, const UNetAddition& addition) {
  check<ShapeError>(sample_NChw.dim() == 4 && sample_NChw.size(1) == config_.in_channels,
                    "U-Net sample [{}]: expected [N, {}, h, w]", fmt::join(sample_NChw.sizes(), ", "),
                    config_.in_channels);
  check<ShapeError>(timesteps_N.dim() == 1 && timesteps_N.size(0) == sample_NChw.size(0),
                    "U-Net timesteps [{}]: expected one for each of {} samples", fmt::join(timesteps_N.sizes(), ", "),
                    sample_NChw.size(0));
  check<ShapeError>(context_NMD.dim() == 3 && context_NMD.size(0) == sample_NChw.size(0) &&
                        context_NMD.size(2) == config_.cross_attention_dim,
                    "U-Net context [{}]: expected [{}, M, {}]", fmt::join(context_NMD.sizes(), ", "),
                    sample_NChw.size(0), config_.cross_attention_dim);
  check_addition(addition, sample_NChw.size(0));
  const UNetCondition condition{silu_time(timesteps_N, addition, sample_NChw.scalar_type()), context_NMD};
  at::Tensor x = conv_in_(config_.center_input_sample ? 2.0 * sample_NChw - 1.0 : sample_NChw);
  std::vector<at::Tensor> skips{x};
  for (UNetDownBlock& block : down_blocks_) x = block(x, condition, skips);
  x = mid_block_(x, condition);
  for (UNetUpBlock& block : up_blocks_) x = block(x, condition, skips);
  return conv_out_(conv_norm_out_(x));
}

}  // namespace domainfusion
