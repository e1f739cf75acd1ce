#include "domainfusion/classifiers/backbones/clip_vit.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/classifiers/backbones/clip_names.h"
#include "domainfusion/nn/initialise.h"

namespace domainfusion {
namespace {

double inverse_root(int64_t n) { return 1 / std::sqrt(static_cast<double>(n)); }

// OpenAI's VisionTransformer; what it leaves to torch.nn has the defaults of MultiheadAttention, Linear and Conv2d.
void draw_clip_vit(const std::string& name, const at::Tensor& parameter, const VitShape& shape, RandomStream stream) {
  if (name.ends_with("_embedding") || name.ends_with(".proj"))
    fill_normal(parameter, inverse_root(shape.hidden), stream);
  if (name.ends_with("in_proj_weight"))
    fill_uniform(parameter, std::sqrt(6.0 / static_cast<double>(4 * shape.hidden)), stream);
  if (name.ends_with("out_proj.bias")) parameter.zero_();
  if (name.ends_with("c_fc.bias")) fill_uniform(parameter, inverse_root(shape.hidden), stream);
  if (name.ends_with("c_proj.bias")) fill_uniform(parameter, inverse_root(shape.mlp), stream);
  const bool plain = name.ends_with("conv1.weight") || name.ends_with("out_proj.weight") ||
                     name.ends_with("c_fc.weight") || name.ends_with("c_proj.weight");
  if (plain) fill_uniform(parameter, inverse_root(parameter[0].numel()), stream);
}

}  // namespace

ClipVit::ClipVit(const VitShape& shape, int64_t projection)
    : shape_(shape),
      conv1_(torch::nn::Conv2dOptions(3, shape.hidden, shape.patch).stride(shape.patch).bias(false)),
      ln_pre_(torch::nn::LayerNormOptions({shape.hidden})),
      ln_post_(torch::nn::LayerNormOptions({shape.hidden})) {
  const int64_t grid = patches_per_side(shape.image_size_px, shape.patch);
  const auto visual = register_module("visual", std::make_shared<torch::nn::Module>());
  class_embedding_ = visual->register_parameter("class_embedding", torch::zeros({shape.hidden}));
  positional_embedding_ =
      visual->register_parameter("positional_embedding", torch::zeros({1 + grid * grid, shape.hidden}));
  if (projection > 0) proj_ = visual->register_parameter("proj", torch::zeros({shape.hidden, projection}));
  visual->register_module("conv1", conv1_);
  visual->register_module("ln_pre", ln_pre_);
  const auto transformer = visual->register_module("transformer", std::make_shared<torch::nn::Module>());
  const auto blocks = transformer->register_module("resblocks", std::make_shared<torch::nn::Module>());
  const EncoderBlockOptions options{shape.hidden, shape.heads, shape.mlp, 1e-5, true, "attn", "c_fc", "c_proj"};
  for (int64_t i = 0; i < shape.layers; ++i) {
    blocks_.push_back(blocks->register_module(std::to_string(i), EncoderBlock(options)));
  }
  visual->register_module("ln_post", ln_post_);
}

at::Tensor ClipVit::features(const at::Tensor& image_NCHW) {
  check_square_images(image_NCHW, shape_.image_size_px);
  at::Tensor x = ln_pre_(tokens_NLC(first_output(image_NCHW), class_embedding_) + positional_embedding_);
  for (EncoderBlock& block : blocks_) x = block(x);
  const at::Tensor feature_NC = ln_post_(x.select(1, 0));
  return proj_.defined() ? torch::matmul(feature_NC, proj_) : feature_NC;
}

void ClipVit::initialise(std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const auto& item : named_parameters()) {
    draw_clip_vit(item.key(), item.value(), shape_, RandomStream(seed, "init " + item.key()));
  }
}

void ClipVit::adapt_weights(TensorMap& weights) const {
  take_openai_names(weights);
  if (!proj_.defined()) weights.erase("visual.proj");
  const auto position = weights.find("visual.positional_embedding");
  if (position == weights.end() || position->second.dim() != 2) return;
  position->second = resized_positions(position->second, shape_.image_size_px / shape_.patch);
}

}  // namespace domainfusion
