#include "domainfusion/classifiers/backbones/encoder_block.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"

namespace domainfusion {
namespace {

torch::nn::LayerNorm layer_norm(const EncoderBlockOptions& options) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({options.hidden}).eps(options.eps));
}

}  // namespace

SelfAttentionImpl::SelfAttentionImpl(int64_t hidden, int64_t heads)
    : heads_(heads),
      in_proj_weight_(register_parameter("in_proj_weight", torch::zeros({3 * hidden, hidden}))),
      in_proj_bias_(register_parameter("in_proj_bias", torch::zeros({3 * hidden}))),
      out_proj_(register_module("out_proj", torch::nn::Linear(hidden, hidden))) {
  check<ConfigError>(heads >= 1 && hidden % heads == 0, "{} attention heads do not divide {} channels", heads, hidden);
}

// No operation names the size of the batch: an exported trace serves every size.
at::Tensor SelfAttentionImpl::forward(const at::Tensor& x_NLC) {
  const int64_t length = x_NLC.size(1), depth = x_NLC.size(2) / heads_;
  const at::Tensor qkv = torch::linear(x_NLC, in_proj_weight_, in_proj_bias_)
                             .reshape({-1, length, 3, heads_, depth})
                             .permute({2, 0, 3, 1, 4});
  const at::Tensor q = qkv.select(0, 0) * (1 / std::sqrt(static_cast<double>(depth)));
  const at::Tensor weight_NHLL = torch::matmul(q, qkv.select(0, 1).transpose(2, 3)).softmax(-1);
  return out_proj_(torch::matmul(weight_NHLL, qkv.select(0, 2)).transpose(1, 2).flatten(2));
}

EncoderBlockImpl::EncoderBlockImpl(const EncoderBlockOptions& options)
    : quick_gelu_(options.quick_gelu),
      ln_1_(register_module("ln_1", layer_norm(options))),
      ln_2_(register_module("ln_2", layer_norm(options))),
      attention_(register_module(options.attention, SelfAttention(options.hidden, options.heads))),
      first_(options.hidden, options.mlp),
      second_(options.mlp, options.hidden) {
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  mlp->register_module(options.first, first_);
  mlp->register_module(options.second, second_);
}

at::Tensor EncoderBlockImpl::forward(const at::Tensor& x_NLC) {
  const at::Tensor token_NLC = ln_1_(x_NLC);
  const at::Tensor x = x_NLC + attention_(transform_ ? transform_(token_NLC) : token_NLC);
  const at::Tensor h = first_(ln_2_(x));
  return x + second_(quick_gelu_ ? h * torch::sigmoid(1.702 * h) : torch::gelu(h));
}

at::Tensor tokens_NLC(const at::Tensor& patch_NChw, const at::Tensor& class_token_C) {
  const at::Tensor patches = patch_NChw.flatten(2).transpose(1, 2);
  // Added to zeros instead of expanded: see SelfAttentionImpl::forward.
  return torch::cat({torch::zeros_like(patches.narrow(1, 0, 1)) + class_token_C, patches}, 1);
}

at::Tensor resized_positions(const at::Tensor& position_LC, int64_t grid) {
  const int64_t patches = position_LC.size(0) - 1, channels = position_LC.size(1);
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(patches))));
  if (side == grid || side * side != patches || side < 1) return position_LC;
  log_info("positional embeddings of {0} x {0} patches are resized to {1} x {1}", side, grid);
  const at::Tensor maps = position_LC.narrow(0, 1, patches).to(torch::kFloat32).t().reshape({1, channels, side, side});
  const at::Tensor resized = torch::upsample_bicubic2d(maps, {grid, grid}, /*align_corners=*/true);
  return torch::cat({position_LC.narrow(0, 0, 1).to(torch::kFloat32), resized.reshape({channels, grid * grid}).t()});
}

int64_t patches_per_side(int64_t image_size_px, int64_t patch) {
  check<ConfigError>(
      image_size_px >= patch && image_size_px % patch == 0,
      "images of {} px are not made of patches of {} px: choose a loader.image_size_px that is a multiple of it",
      image_size_px, patch);
  return image_size_px / patch;
}

}  // namespace domainfusion
