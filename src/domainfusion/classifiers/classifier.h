#pragma once
// The domain-generalization network theta: a backbone, dropout and a linear head, with torchvision's state-dict names.

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "domainfusion/classifiers/backbones/backbone.h"
#include "domainfusion/classifiers/backbones/resnet.h"
#include "domainfusion/config/config_fields.h"
#include "domainfusion/core/registry.h"

namespace domainfusion {

struct ClassifierConfig {
  std::string backbone = "resnet18";
  Stem stem = Stem::kImagenet;
  std::int64_t width = 64;
  std::string weights;
  bool freeze_batch_norm = false;
  double dropout = 0;
  void describe(ConfigFields& fields);
};

// Makes a backbone for a configuration (its weights are not drawn yet).
using BackboneRegistry = Registry<Backbone, const ClassifierConfig&>;
const BackboneRegistry& backbones();

// The children of the backbone are registered directly, so that keys are "conv1.weight" … "fc.bias".
class ClassifierImpl : public torch::nn::Module {
 public:
  // Registers backbone and head; weights are torchvision's initialisation drawn from (seed, parameter name), then, if
  // config.weights names a file, what that file holds (load_pretrained).
  // `classes` >= 2, else ConfigError. Throws what load_pretrained throws.
  ClassifierImpl(const ClassifierConfig& config, std::int64_t classes, std::uint64_t seed);
  // The same around a backbone of one's own.
  ClassifierImpl(std::shared_ptr<Backbone> backbone, const ClassifierConfig& config, std::int64_t classes,
                 std::uint64_t seed);

  // image_NCHW float32, normalised, any H and W the backbone takes -> logits_NK. Dropout acts in train mode.
  at::Tensor forward(const at::Tensor& image_NCHW);
  // -> features [N, F], before dropout.
  at::Tensor features(const at::Tensor& image_NCHW);
  // features [N, F] -> logits_NK, through dropout in train mode.
  at::Tensor classify(const at::Tensor& feature_NF);

  // Names the training step: the dropout masks of the forwards that follow are draws of (seed, "dropout", step, call).
  void begin_step(std::uint64_t seed, std::int64_t step);
  // Train mode; batch norm stays in eval mode if config.freeze_batch_norm (its weights are still trained, as in DomainBed).
  void train(bool on = true) override;

  std::int64_t classes() const { return classes_; }
  std::int64_t feature_size() const { return backbone_->feature_size(); }
  Backbone& backbone() { return *backbone_; }

 private:
  void initialise(std::uint64_t seed);

  std::shared_ptr<Backbone> backbone_;
  torch::nn::Linear head_{nullptr};
  std::int64_t classes_;
  bool freeze_batch_norm_;
  double dropout_;
  std::uint64_t dropout_seed_ = 0, dropout_step_ = 0, dropout_call_ = 0;
};
TORCH_MODULE(Classifier);

}  // namespace domainfusion
