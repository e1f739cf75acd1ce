#pragma once
// The pre-norm transformer block of vision transformers (Dosovitskiy et al., ICLR 2021, eq. 2 and 3).

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace domainfusion {

struct EncoderBlockOptions {
  int64_t hidden = 768;
  int64_t heads = 12;       // divides hidden
  int64_t mlp = 3072;       // width between the two linear layers
  double eps = 1e-6;        // of both layer norms
  bool quick_gelu = false;  // x sigmoid(1.702 x) in place of the exact gelu
  // State-dict names: ln_1, <attention>.{in_proj_weight, in_proj_bias, out_proj}, ln_2, mlp.<first>, mlp.<second>.
  std::string attention = "self_attention", first = "0", second = "3";
};

// torch.nn.MultiheadAttention of a sequence with itself, without mask.
class SelfAttentionImpl : public torch::nn::Module {
 public:
  SelfAttentionImpl(int64_t hidden, int64_t heads);
  at::Tensor forward(const at::Tensor& x_NLC);

 private:
  int64_t heads_;
  at::Tensor in_proj_weight_, in_proj_bias_;
  torch::nn::Linear out_proj_;
};
TORCH_MODULE(SelfAttention);

// What a block's attention gets in place of the normalised tokens x_NLC: a tensor of the same shape and dtype.
using TokenTransform = std::function<at::Tensor(const at::Tensor& x_NLC)>;

// x + attention(ln_1(x)), then x + mlp(ln_2(x)).
class EncoderBlockImpl : public torch::nn::Module {
 public:
  // ConfigError if the heads do not divide `hidden`.
  explicit EncoderBlockImpl(const EncoderBlockOptions& options);
  at::Tensor forward(const at::Tensor& x_NLC);  // same shape
  // Of every forward from here on; empty: none, as at first. It is no part of the weights: whoever sets it takes it
  // away again.
  void set_token_transform(TokenTransform transform) { transform_ = std::move(transform); }

 private:
  TokenTransform transform_;
  bool quick_gelu_;
  torch::nn::LayerNorm ln_1_, ln_2_;
  SelfAttention attention_;
  torch::nn::Linear first_, second_;
};
TORCH_MODULE(EncoderBlock);

// The tokens that a transformer starts from: patches [N, C, h, w] row by row behind the class token [C], [N, 1 + h w,
// C].
at::Tensor tokens_NLC(const at::Tensor& patch_NChw, const at::Tensor& class_token_C);

// Positional embeddings [1 + g^2, C] (class token first) for a grid of `grid` x `grid` patches: bicubic with aligned
// corners, as torchvision's interpolate_embeddings. The same tensor where the grid is that already, or is no square.
at::Tensor resized_positions(const at::Tensor& position_LC, int64_t grid);

// Patches on a side. ConfigError unless `patch` divides `image_size_px`.
int64_t patches_per_side(int64_t image_size_px, int64_t patch);

}  // namespace domainfusion
