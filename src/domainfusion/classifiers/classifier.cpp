#include "domainfusion/classifiers/classifier.h"

#include <torch/torch.h>

#include <cmath>

#include "domainfusion/classifiers/pretrained_weights.h"
#include "domainfusion/core/random.h"
#include "domainfusion/core/random_tensor.h"

namespace domainfusion {
namespace {

// torchvision: convolutions N(0, 2 / fan_out).
void initialise_convolution(torch::nn::Conv2dImpl& layer, RandomStream stream) {
  const auto shape = layer.weight.sizes();
  const double fan_out = static_cast<double>(shape[0] * shape[2] * shape[3]) / static_cast<double>(layer.options.groups());
  layer.weight.copy_(normal_tensor(stream, shape) * std::sqrt(2.0 / fan_out));
}

// torch's default of linear layers: weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
void initialise_linear(torch::nn::LinearImpl& layer, RandomStream stream) {
  const double bound = 1 / std::sqrt(static_cast<double>(layer.options.in_features()));
  for (at::Tensor tensor : {layer.weight, layer.bias}) {
    at::Tensor draws = torch::empty(tensor.sizes());
    float* values = draws.data_ptr<float>();
    for (int64_t i = 0; i < draws.numel(); ++i) values[i] = static_cast<float>(stream.uniform(-bound, bound));
    tensor.copy_(draws);
  }
}

}  // namespace

void ClassifierConfig::describe(ConfigFields& fields) {
  fields.text("backbone", backbone, "network: see `domainfusion inspect backbones`");
  fields.choice("stem", stem, {{"imagenet", Stem::kImagenet}, {"small", Stem::kSmall}},
                "imagenet: 7x7 stride 2 and max-pool; small: 3x3 stride 2, for images of about 64 px");
  fields.integer("width", width, {1, 1024}, "channels of the first stage (torchvision's networks: 64)");
  fields.text("weights", weights, "safetensors file with torchvision's names to start from; empty: drawn from the seed");
  fields.boolean("freeze_batch_norm", freeze_batch_norm, "keep batch norm in eval mode throughout (needs weights)");
  fields.real("dropout", dropout, {0, 0.99}, "dropout before the linear head");
}

ClassifierImpl::ClassifierImpl(const ClassifierConfig& config, std::int64_t classes, std::uint64_t seed)
    : ClassifierImpl(backbones().make(config.backbone, config), config, classes, seed) {}

ClassifierImpl::ClassifierImpl(std::shared_ptr<Backbone> backbone, const ClassifierConfig& config, std::int64_t classes,
                               std::uint64_t seed)
    : backbone_(std::move(backbone)),
      classes_(classes),
      freeze_batch_norm_(config.freeze_batch_norm),
      dropout_(config.dropout) {
  check<ConfigError>(classes >= 2, "a classifier of {} classes: expected at least 2", classes);
  for (const auto& child : backbone_->named_children()) register_module(child.key(), child.value());
  head_ = register_module(backbone_->head_name(), torch::nn::Linear(backbone_->feature_size(), classes));
  initialise(seed);
  if (!config.weights.empty()) load_pretrained(*this, backbone_->head_name(), config.weights);
  train();
}

void ClassifierImpl::initialise(std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const auto& module : named_modules({}, /*include_self=*/false)) {
    RandomStream stream(seed, "init " + module.key());
    if (auto* convolution = module.value()->as<torch::nn::Conv2d>()) initialise_convolution(*convolution, stream);
    if (auto* linear = module.value()->as<torch::nn::Linear>()) initialise_linear(*linear, stream);
  }
}

at::Tensor ClassifierImpl::features(const at::Tensor& image_NCHW) { return backbone_->features(image_NCHW); }

at::Tensor ClassifierImpl::classify(const at::Tensor& feature_NF) {
  if (!is_training() || dropout_ == 0) return head_(feature_NF);
  RandomStream stream(dropout_seed_, "dropout", {dropout_step_, dropout_call_++});
  at::Tensor mask = torch::empty(feature_NF.sizes());
  float* values = mask.data_ptr<float>();
  for (int64_t i = 0; i < mask.numel(); ++i) {
    values[i] = stream.uniform() < dropout_ ? 0.0f : static_cast<float>(1 / (1 - dropout_));
  }
  return head_(feature_NF * mask.to(feature_NF.device()));
}

at::Tensor ClassifierImpl::forward(const at::Tensor& image_NCHW) { return classify(features(image_NCHW)); }

void ClassifierImpl::begin_step(std::uint64_t seed, std::int64_t step) {
  dropout_seed_ = seed;
  dropout_step_ = static_cast<std::uint64_t>(step);
  dropout_call_ = 0;
}

void ClassifierImpl::train(bool on) {
  torch::nn::Module::train(on);
  backbone_->torch::nn::Module::train(on);
  if (!freeze_batch_norm_) return;
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* norm = module->as<torch::nn::BatchNorm2d>()) norm->eval();
  }
}

}  // namespace domainfusion
