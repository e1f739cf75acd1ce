#pragma once
// The domain-generalization network theta: a backbone, dropout and a head, with the state-dict names of torchvision or
// CLIP.

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/classifiers/backbones/backbone.h"
#include "domainfusion/classifiers/backbones/resnet.h"
#include "domainfusion/config/config_fields.h"
#include "domainfusion/core/registry.h"
#include "domainfusion/nn/graphs/graphed_training.h"

namespace domainfusion {

// "linear", or DomainBed's nonlinear classifier: F -> F/2 -> F/4 -> classes with ReLU between.
enum class HeadKind { kLinear, kMlp };
// What stands between the backbone's features and the head, as URM needs it.
enum class FeatureActivation { kIdentity, kTanh, kSigmoid, kRelu };
// What images are normalised with before they enter the backbone; auto: what the backbone's published weights expect.
enum class Normalize { kAuto, kImagenet, kClip };

struct ClassifierConfig {
  std::string backbone = "resnet18";
  Stem stem = Stem::kImagenet;
  std::int64_t width = 64;
  std::string weights, weights_key;
  bool freeze_batch_norm = false;
  double dropout = 0;
  HeadKind head = HeadKind::kLinear;
  FeatureActivation activation = FeatureActivation::kIdentity;
  Normalize normalize = Normalize::kAuto;
  bool clip_projection = true;
  // Of the images to come; follows loader.image_size_px and is no option of its own. Only vision transformers depend on
  // it.
  std::int64_t image_size_px = 224;
  void describe(ConfigFields& fields);
  // Where its values come from, for people: "from random weights", "from FILE".
  std::string start() const;
};

// Makes a backbone for a configuration (its weights are not drawn yet).
using BackboneRegistry = Registry<Backbone, const ClassifierConfig&>;
const BackboneRegistry& backbones();

// The children of the backbone are registered directly, so that keys are "conv1.weight" … "fc.bias"; layers of an MLP
// head are "fc.0", "fc.2", "fc.4".
class ClassifierImpl : public torch::nn::Module {
 public:
  // Registers backbone and head; weights are the published initialisation drawn from (seed, parameter name), then, if
  // config.weights names a file, what that file holds (load_pretrained).
  // `classes` >= 2, else ConfigError. Throws what load_pretrained throws.
  ClassifierImpl(const ClassifierConfig& config, std::int64_t classes, std::uint64_t seed);
  // The same around a backbone of one's own.
  ClassifierImpl(std::shared_ptr<Backbone> backbone, const ClassifierConfig& config, std::int64_t classes,
                 std::uint64_t seed);

  // image_NCHW float32, normalised with ImageNet's statistics whatever the backbone expects (it is brought to those of
  // CLIP here), any H and W the backbone takes -> logits_NK. Dropout acts in train mode.
  at::Tensor forward(const at::Tensor& image_NCHW);
  // -> features [N, F], behind the activation, before dropout.
  at::Tensor features(const at::Tensor& image_NCHW);
  // features [N, F] -> logits_NK, through dropout in train mode.
  at::Tensor classify(const at::Tensor& feature_NF);

  // Names the training step: the dropout masks of the forwards that follow are draws of (seed, "dropout", step, call).
  void begin_step(std::uint64_t seed, std::int64_t step);
  // Train mode; batch norm stays in eval mode if config.freeze_batch_norm (its weights are still trained, as in
  // DomainBed).
  void train(bool on = true) override;

  std::int64_t classes() const { return classes_; }
  std::int64_t feature_size() const { return backbone_->feature_size(); }
  Backbone& backbone() { return *backbone_; }
  // The layers behind the features.
  std::vector<at::Tensor> head_parameters() const;
  bool uses_clip_statistics() const { return clip_statistics_; }

 private:
  at::Tensor plain_features(const at::Tensor& image_NCHW);
  void add_head(HeadKind kind);
  void initialise(std::uint64_t seed);
  at::Tensor apply_head(at::Tensor feature_NF);

  std::shared_ptr<Backbone> backbone_;
  std::unique_ptr<GraphedTraining> training_features_;  // the backbone's, in train mode
  std::vector<torch::nn::Linear> head_;
  std::int64_t classes_;
  FeatureActivation activation_;
  bool freeze_batch_norm_;
  bool clip_statistics_;
  at::Tensor clip_scale_, clip_shift_;  // from ImageNet's statistics to CLIP's
  double dropout_;
  std::uint64_t dropout_seed_ = 0, dropout_step_ = 0, dropout_call_ = 0;
};
TORCH_MODULE(Classifier);

}  // namespace domainfusion
