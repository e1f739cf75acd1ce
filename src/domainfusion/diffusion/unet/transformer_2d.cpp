#include "domainfusion/diffusion/unet/transformer_2d.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

namespace domainfusion {
namespace {

constexpr double kGroupNormEps = 1e-6;

torch::nn::LayerNorm layer_norm(std::int64_t dim) { return torch::nn::LayerNorm(torch::nn::LayerNormOptions({dim})); }

// Under Autocast on a CPU, libtorch 1.13 leaves the input in the smaller type and the weights in theirs.
at::Tensor normed(torch::nn::LayerNorm& norm, const at::Tensor& x) { return norm(x.to(norm->weight.scalar_type())); }

// Gives the first layer of the feed-forward its state-dict name "net.0.proj".
struct ProjectionHolderImpl : torch::nn::Module {
  explicit ProjectionHolderImpl(GatedLinear proj) { register_module("proj", std::move(proj)); }
};
TORCH_MODULE(ProjectionHolder);

AttentionOptions attention_options(std::int64_t dim, std::int64_t context_dim, std::int64_t heads) {
  return {.query_dim = dim, .context_dim = context_dim, .heads = heads, .projection_bias = false};
}

}  // namespace

FeedForwardImpl::FeedForwardImpl(std::int64_t dim) : gate_(dim, 4 * dim), out_(4 * dim, dim) {
  // diffusers has a dropout at index 1.
  register_module("net", torch::nn::ModuleList(ProjectionHolder(gate_), torch::nn::Identity(), out_));
}

at::Tensor FeedForwardImpl::forward(const at::Tensor& x_NLC, const at::Tensor& residual_NLC) {
  return out_(gate_(x_NLC), residual_NLC);
}

TransformerBlockImpl::TransformerBlockImpl(std::int64_t dim, std::int64_t context_dim, std::int64_t heads)
    : norm1_(register_module("norm1", layer_norm(dim))),
      norm2_(register_module("norm2", layer_norm(dim))),
      norm3_(register_module("norm3", layer_norm(dim))),
      attn1_(register_module("attn1", Attention(attention_options(dim, dim, heads)))),
      attn2_(register_module("attn2", Attention(attention_options(dim, context_dim, heads)))),
      ff_(register_module("ff", FeedForward(dim))) {}

at::Tensor TransformerBlockImpl::forward(const at::Tensor& x_NLC, const at::Tensor& context_NMD) {
  const at::Tensor y = normed(norm1_, x_NLC);
  at::Tensor x = attn1_(y, y, x_NLC);
  x = attn2_(normed(norm2_, x), context_NMD, x);
  return ff_(normed(norm3_, x), x);
}

Transformer2dImpl::Transformer2dImpl(const Transformer2dOptions& o)
    : norm_(register_module("norm", GroupNorm(o.groups, o.channels, kGroupNormEps))) {
  if (o.linear_projection) {
    linear_in_ = register_module("proj_in", Linear(o.channels, o.channels));
    linear_out_ = register_module("proj_out", Linear(o.channels, o.channels));
  } else {
    conv_in_ = register_module("proj_in", Conv2d(one_by_one(o.channels, o.channels)));
    conv_out_ = register_module("proj_out", Conv2d(one_by_one(o.channels, o.channels)));
  }
  auto list = register_module("transformer_blocks", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < o.layers; ++i) {
    blocks_.push_back(TransformerBlock(o.channels, o.context_dim, o.heads));
    list->push_back(blocks_.back());
  }
}

at::Tensor Transformer2dImpl::forward(const at::Tensor& x_NChw, const at::Tensor& context_NMD) {
  const auto pixels_last = [](const at::Tensor& maps) { return maps.flatten(2).transpose(1, 2).contiguous(); };
  const auto as_maps = [&](const at::Tensor& pixels) { return pixels.transpose(1, 2).reshape(x_NChw.sizes()); };
  at::Tensor x = norm_(x_NChw);
  x = linear_in_ ? linear_in_(pixels_last(x)) : pixels_last(conv_in_(x));
  for (TransformerBlock& block : blocks_) x = block(x, context_NMD);
  if (linear_out_) return as_maps(linear_out_(x)) + x_NChw;
  return conv_out_(as_maps(x), Conv2dExtras{.residual_NChw = x_NChw});
}

}  // namespace domainfusion
