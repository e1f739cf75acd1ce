#pragma once
// Transformer over the pixels of a feature map, conditioned on text (diffusers' Transformer2DModel and its blocks).

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "domainfusion/nn/layers/attention.h"
#include "domainfusion/nn/layers/conv_2d.h"
#include "domainfusion/nn/layers/group_norm.h"
#include "domainfusion/nn/layers/linear.h"

namespace domainfusion {

// linear(a * gelu(b)) with [a, b] = proj(x), four times as wide inside; exact gelu (Shazeer 2020, GEGLU).
class FeedForwardImpl : public torch::nn::Module {
 public:
  explicit FeedForwardImpl(std::int64_t dim);
  // Plus `residual` of x's shape.
  at::Tensor forward(const at::Tensor& x_NLC, const at::Tensor& residual_NLC);

 private:
  GatedLinear gate_;
  Linear out_;
};
TORCH_MODULE(FeedForward);

// Self-attention, cross-attention, feed-forward; each behind a layer norm and added to its input.
class TransformerBlockImpl : public torch::nn::Module {
 public:
  TransformerBlockImpl(std::int64_t dim, std::int64_t context_dim, std::int64_t heads);
  at::Tensor forward(const at::Tensor& x_NLC, const at::Tensor& context_NMD);

 private:
  torch::nn::LayerNorm norm1_, norm2_, norm3_;
  Attention attn1_, attn2_;
  FeedForward ff_;
};
TORCH_MODULE(TransformerBlock);

struct Transformer2dOptions {
  std::int64_t channels = 0;
  std::int64_t context_dim = 0;
  std::int64_t heads = 1;
  std::int64_t layers = 1;
  std::int64_t groups = 32;
  bool linear_projection = false;  // linear layers over pixels instead of 1x1 convolutions around the blocks
};

class Transformer2dImpl : public torch::nn::Module {
 public:
  explicit Transformer2dImpl(const Transformer2dOptions& options);
  // x [N, C, h, w], context [N, M, context_dim] -> [N, C, h, w].
  at::Tensor forward(const at::Tensor& x_NChw, const at::Tensor& context_NMD);

 private:
  GroupNorm norm_;
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  Linear linear_in_{nullptr}, linear_out_{nullptr};
  std::vector<TransformerBlock> blocks_;
};
TORCH_MODULE(Transformer2d);

}  // namespace domainfusion
