#include "domainfusion/classifiers/backbones/vit.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/initialise.h"

namespace domainfusion {
namespace {

constexpr double kEps = 1e-6;

double fan_in(const at::Tensor& weight) { return static_cast<double>(weight[0].numel()); }

// Xavier's bound: variance 2 / (fan_in + fan_out).
double xavier_bound(const at::Tensor& weight) {
  return std::sqrt(6.0 / static_cast<double>(weight.size(0) + weight.size(1)));
}

// torchvision's VisionTransformer; layer norms keep their ones and zeros, and so does the class token.
void draw_vit(const std::string& name, const at::Tensor& parameter, RandomStream stream) {
  if (name == "conv_proj.weight") fill_normal(parameter, std::sqrt(1 / fan_in(parameter)), stream);
  if (name == "conv_proj.bias") parameter.zero_();
  if (name == "encoder.pos_embedding") fill_normal(parameter, 0.02, stream);
  if (name.ends_with("in_proj_weight")) fill_uniform(parameter, xavier_bound(parameter), stream);
  if (name.ends_with("out_proj.weight")) fill_uniform(parameter, 1 / std::sqrt(fan_in(parameter)), stream);
  if (name.ends_with("out_proj.bias")) parameter.zero_();
  if (name.find(".mlp.") == std::string::npos) return;
  name.ends_with("weight") ? fill_uniform(parameter, xavier_bound(parameter), stream)
                           : fill_normal(parameter, 1e-6, stream);
}

void rename_ending(TensorMap& weights, const std::string& name, std::string_view before, std::string_view now) {
  if (!name.ends_with(before)) return;
  auto node = weights.extract(name);
  node.key() = name.substr(0, name.size() - before.size()) + std::string(now);
  weights.insert(std::move(node));
}

}  // namespace

void check_square_images(const at::Tensor& image_NCHW, int64_t size_px) {
  check<ShapeError>(
      image_NCHW.dim() == 4 && image_NCHW.size(2) == size_px && image_NCHW.size(3) == size_px,
      "images of shape {}: this vision transformer was made for [N, 3, {}, {}]; build it with that image size",
      fmt::join(image_NCHW.sizes(), " x "), size_px, size_px);
}

Vit::Vit(const VitShape& shape)
    : shape_(shape),
      class_token_(register_parameter("class_token", torch::zeros({1, 1, shape.hidden}))),
      conv_proj_(register_module(
          "conv_proj", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, shape.hidden, shape.patch).stride(shape.patch)))),
      ln_(torch::nn::LayerNormOptions({shape.hidden}).eps(kEps)) {
  const int64_t grid = patches_per_side(shape.image_size_px, shape.patch);
  const auto encoder = register_module("encoder", std::make_shared<torch::nn::Module>());
  pos_embedding_ = encoder->register_parameter("pos_embedding", torch::zeros({1, 1 + grid * grid, shape.hidden}));
  const auto layers = encoder->register_module("layers", std::make_shared<torch::nn::Module>());
  EncoderBlockOptions options;
  options.hidden = shape.hidden;
  options.heads = shape.heads;
  options.mlp = shape.mlp;
  options.eps = kEps;
  for (int64_t i = 0; i < shape.layers; ++i) {
    layers_.push_back(layers->register_module(fmt::format("encoder_layer_{}", i), EncoderBlock(options)));
  }
  encoder->register_module("ln", ln_);
}

at::Tensor Vit::features(const at::Tensor& image_NCHW) {
  check_square_images(image_NCHW, shape_.image_size_px);
  at::Tensor x = tokens_NLC(first_output(image_NCHW), class_token_) + pos_embedding_;
  for (EncoderBlock& layer : layers_) x = layer(x);
  return ln_(x.select(1, 0));
}

void Vit::initialise(std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const auto& item : named_parameters())
    draw_vit(item.key(), item.value(), RandomStream(seed, "init " + item.key()));
}

void Vit::adapt_weights(TensorMap& weights) const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights) names.push_back(name);
  for (const std::string& name : names) {
    for (const std::string kind : {"weight", "bias"}) {
      rename_ending(weights, name, "mlp.linear_1." + kind, "mlp.0." + kind);
      rename_ending(weights, name, "mlp.linear_2." + kind, "mlp.3." + kind);
    }
  }
  const auto position = weights.find("encoder.pos_embedding");
  if (position == weights.end() || position->second.dim() != 3 || position->second.size(0) != 1) return;
  position->second = resized_positions(position->second[0], shape_.image_size_px / shape_.patch).unsqueeze(0);
}

}  // namespace domainfusion
