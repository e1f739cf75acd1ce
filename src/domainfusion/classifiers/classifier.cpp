#include "domainfusion/classifiers/classifier.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/classifiers/pretrained_weights.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/nn/initialise.h"

namespace domainfusion {
namespace {

// Registers `child` below `parent` under a name with dots, making the levels between.
void register_at(torch::nn::Module& parent, const std::string& path, const torch::nn::Linear& child) {
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) {
    parent.register_module(path, child);
    return;
  }
  const std::string level = path.substr(0, dot);
  const auto* known = parent.named_children().find(level);
  const auto below = known ? *known : parent.register_module(level, std::make_shared<torch::nn::Module>());
  register_at(*below, path.substr(dot + 1), child);
}

// Per channel [3, 1, 1].
template <class Function>
at::Tensor per_channel(Function value) {
  return torch::tensor({value(0), value(1), value(2)}, torch::kFloat32).view({3, 1, 1});
}

}  // namespace

std::string ClassifierConfig::start() const {
  return weights.empty() ? "from random weights" : fmt::format("from {}", weights);
}

void ClassifierConfig::describe(ConfigFields& fields) {
  fields.text("backbone", backbone, "network: see `domainfusion inspect backbones`");
  fields.choice("stem", stem, {{"imagenet", Stem::kImagenet}, {"small", Stem::kSmall}},
                "imagenet: 7x7 stride 2 and max-pool; small: 3x3 stride 2, for images of about 64 px");
  fields.integer(
      "width", width, {1, 1024},
      "channels of a residual network's first stage, or of a transformer's attention heads (published networks: 64)");
  fields.text(
      "weights", weights,
      "file to start from: safetensors or PyTorch, with torchvision's names or CLIP's; or the name of fetched weights "
      "(\"resnet50\"); empty: drawn from the seed");
  fields.text(
      "weights_key", weights_key,
      "which network of a file that holds several (\"teacher\"): how its tensors' names begin; empty: the only one");
  fields.boolean("freeze_batch_norm", freeze_batch_norm, "keep batch norm in eval mode throughout (needs weights)");
  fields.real("dropout", dropout, {0, 0.99}, "dropout before the head");
  fields.choice("head", head, {{"linear", HeadKind::kLinear}, {"mlp", HeadKind::kMlp}},
                "mlp: DomainBed's nonlinear classifier, F, F/2, F/4, classes with ReLU");
  fields.choice("activation", activation,
                {{"identity", FeatureActivation::kIdentity},
                 {"tanh", FeatureActivation::kTanh},
                 {"sigmoid", FeatureActivation::kSigmoid},
                 {"relu", FeatureActivation::kRelu}},
                "between the backbone's features and the head");
  fields.choice("normalize", normalize,
                {{"auto", Normalize::kAuto}, {"imagenet", Normalize::kImagenet}, {"clip", Normalize::kClip}},
                "statistics that images are normalised with; auto: those of the backbone's published weights");
  fields.boolean("clip_projection", clip_projection,
                 "CLIP: features behind its projection to the space of texts; false: before it");
}

ClassifierImpl::ClassifierImpl(const ClassifierConfig& config, std::int64_t classes, std::uint64_t seed)
    : ClassifierImpl(backbones().make(config.backbone, config), config, classes, seed) {}

ClassifierImpl::ClassifierImpl(std::shared_ptr<Backbone> backbone, const ClassifierConfig& config, std::int64_t classes,
                               std::uint64_t seed)
    : backbone_(std::move(backbone)),
      classes_(classes),
      activation_(config.activation),
      freeze_batch_norm_(config.freeze_batch_norm),
      clip_statistics_(config.normalize == Normalize::kClip ||
                       (config.normalize == Normalize::kAuto && backbone_->expects_clip_statistics())),
      dropout_(config.dropout) {
  check<ConfigError>(classes >= 2, "a classifier of {} classes: expected at least 2", classes);
  for (const auto& child : backbone_->named_children()) register_module(child.key(), child.value());
  if (clip_statistics_) {
    clip_scale_ = per_channel([](std::size_t c) { return kImageNetStd[c] / kClipStd[c]; });
    clip_shift_ = per_channel([](std::size_t c) { return (kImageNetMean[c] - kClipMean[c]) / kClipStd[c]; });
  }
  for (const auto& own : backbone_->named_parameters(/*recurse=*/false)) register_parameter(own.key(), own.value());
  add_head(config.head);
  initialise(seed);
  if (!config.weights.empty()) load_pretrained(*this, *backbone_, located_weights(config.weights), config.weights_key);
  train();
}

void ClassifierImpl::add_head(HeadKind kind) {
  const std::int64_t features = backbone_->feature_size();
  const std::string name = backbone_->head_name();
  const auto add = [&](const std::string& path, std::int64_t in, std::int64_t out) {
    register_at(*this, path, head_.emplace_back(in, out));
  };
  if (kind == HeadKind::kLinear) return add(name, features, classes_);
  check<ConfigError>(features >= 4, "classifier.head = mlp needs at least 4 features; this backbone has {}", features);
  add(name + ".0", features, features / 2);
  add(name + ".2", features / 2, features / 4);
  add(name + ".4", features / 4, classes_);
}

// torch's default of linear layers: weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
void ClassifierImpl::initialise(std::uint64_t seed) {
  backbone_->initialise(seed);
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < head_.size(); ++i) {
    const std::string layer = head_.size() == 1 ? "" : fmt::format(".{}", 2 * i);
    RandomStream stream(seed, "init " + backbone_->head_name() + layer);
    const double bound = 1 / std::sqrt(static_cast<double>(head_[i]->options.in_features()));
    fill_uniform(head_[i]->weight, bound, stream);
    fill_uniform(head_[i]->bias, bound, stream);
  }
}

std::vector<at::Tensor> ClassifierImpl::head_parameters() const {
  std::vector<at::Tensor> parameters;
  for (const torch::nn::Linear& layer : head_) {
    for (const at::Tensor& parameter : layer->parameters()) parameters.push_back(parameter);
  }
  return parameters;
}

at::Tensor ClassifierImpl::features(const at::Tensor& image_NCHW) {
  const at::Tensor feature_NF = plain_features(image_NCHW);
  switch (activation_) {
    case FeatureActivation::kTanh:
      return feature_NF.tanh();
    case FeatureActivation::kSigmoid:
      return feature_NF.sigmoid();
    case FeatureActivation::kRelu:
      return feature_NF.relu();
    case FeatureActivation::kIdentity:
      break;
  }
  return feature_NF;
}

at::Tensor ClassifierImpl::plain_features(const at::Tensor& image_NCHW) {
  const at::Device device = image_NCHW.device();
  const at::Tensor image = clip_statistics_ ? image_NCHW * clip_scale_.to(device) + clip_shift_.to(device) : image_NCHW;
  // What ranks exchange inside a pass cannot be recorded.
  if (!is_training() || !backbone_->is_same_each_step() || batch_ranks() != nullptr) return backbone_->features(image);
  if (!training_features_) {
    training_features_ = std::make_unique<GraphedTraining>(
        [this](const std::vector<at::Tensor>& in) { return backbone_->features(in[0]); }, backbone_->parameters(),
        backbone_->buffers());
  }
  return (*training_features_)({image});
}

at::Tensor ClassifierImpl::apply_head(at::Tensor feature_NF) {
  for (std::size_t i = 0; i < head_.size(); ++i) feature_NF = head_[i](i == 0 ? feature_NF : feature_NF.relu());
  return feature_NF;
}

at::Tensor ClassifierImpl::classify(const at::Tensor& feature_NF) {
  if (!is_training() || dropout_ == 0) return apply_head(feature_NF);
  RandomStream stream(dropout_seed_, "dropout", {dropout_step_, dropout_call_++});
  // Of the rows that are on other ranks the draws are passed over.
  const Ranks* const ranks = batch_ranks();
  const std::int64_t own = feature_NF.size(0);
  const std::int64_t rows = ranks == nullptr || own == 0 ? own : ranks->rank() + (own - 1) * ranks->size() + 1;
  at::Tensor mask = torch::empty({rows, feature_NF.size(1)});
  float* values = mask.data_ptr<float>();
  for (int64_t i = 0; i < mask.numel(); ++i) {
    values[i] = stream.uniform() < dropout_ ? 0.0f : static_cast<float>(1 / (1 - dropout_));
  }
  if (ranks != nullptr) mask = own_rows(mask, *ranks);
  return apply_head(feature_NF * mask.to(feature_NF.device()));
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
