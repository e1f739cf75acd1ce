#pragma once
// What a classifier needs of a featurizer; the head stands in Classifier.

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>

#include <functional>
#include <string>
#include <utility>

#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

class Backbone : public torch::nn::Module {
 public:
  // image_NCHW float32, normalised -> features [N, feature_size()], before dropout and head.
  virtual at::Tensor features(const at::Tensor& image_NCHW) = 0;
  virtual int64_t feature_size() const = 0;
  // Where the head stands in the published state dict of this network ("fc", "heads.head").
  virtual std::string head_name() const = 0;
  // Draws the first weights as the published implementation does, from (seed, "init <name>").
  virtual void initialise(std::uint64_t seed) = 0;
  // Brings tensors of a file under this network's names and shapes, where the field has several forms of them (older
  // names, another input size); what does not fit stays as it is and is reported by the loading.
  virtual void adapt_weights(TensorMap& /*weights*/) const {}
  // Whether the published weights expect images normalised with CLIP's statistics in place of ImageNet's.
  virtual bool expects_clip_statistics() const { return false; }
  // Whether features() is the same function of images and weights in every training step.
  virtual bool is_same_each_step() const { return !addition_; }

  // The convolution that takes the images; nullptr where it is none.
  virtual torch::nn::Conv2dImpl* first_layer() { return nullptr; }
  // From here on what `addition` makes of the images is added to the first layer's output, as further channels of the
  // images would be. Empty: nothing.
  void set_first_layer_addition(std::function<at::Tensor(const at::Tensor& image_NCHW)> addition) {
    addition_ = std::move(addition);
  }

 protected:
  at::Tensor first_output(const at::Tensor& image_NCHW) {
    const at::Tensor output = first_layer()->forward(image_NCHW);
    return addition_ ? output + addition_(image_NCHW) : output;
  }

 private:
  std::function<at::Tensor(const at::Tensor& image_NCHW)> addition_;
};

}  // namespace domainfusion
