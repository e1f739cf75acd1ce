#pragma once
// What a classifier needs of a featurizer; the head stands in Classifier.

#include <torch/nn/module.h>

#include <string>

namespace domainfusion {

class Backbone : public torch::nn::Module {
 public:
  // image_NCHW float32, normalised -> features [N, feature_size()], before dropout and head.
  virtual at::Tensor features(const at::Tensor& image_NCHW) = 0;
  virtual int64_t feature_size() const = 0;
  // Name of the linear head in torchvision's state dict of this network ("fc").
  virtual std::string head_name() const = 0;
};

}  // namespace domainfusion
