#pragma once
// Vision transformers (Dosovitskiy et al., ICLR 2021) with the submodule names and initialisation of torchvision's
// VisionTransformer, so that its state dicts load as they are.

#include <torch/nn/modules/conv.h>

#include <vector>

#include "domainfusion/classifiers/backbones/backbone.h"
#include "domainfusion/classifiers/backbones/encoder_block.h"

namespace domainfusion {

struct VitShape {
  int64_t image_size_px = 224;  // a multiple of patch
  int64_t patch = 16;           // side in pixels
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t hidden = 768;
  int64_t mlp = 3072;
};

// A backbone whose last maps are the tokens of patches.
class Transformer : public Backbone {
 public:
  // Of the last block (EncoderBlockImpl::set_token_transform): tokens [N, 1 + g^2, C], the class token first.
  virtual void set_token_transform(TokenTransform transform) = 0;
};

class Vit : public Transformer {
 public:
  // ConfigError: see patches_per_side and EncoderBlockImpl.
  explicit Vit(const VitShape& shape);

  // The class token behind the last layer norm. ShapeError unless images have the size of the shape.
  at::Tensor features(const at::Tensor& image_NCHW) override;
  int64_t feature_size() const override { return shape_.hidden; }
  std::string head_name() const override { return "heads.head"; }
  torch::nn::Conv2dImpl* first_layer() override { return conv_proj_.get(); }
  void initialise(std::uint64_t seed) override;
  // Takes the names before torchvision 0.13 ("mlp.linear_1") and positional embeddings of another image size.
  void adapt_weights(TensorMap& weights) const override;
  void set_token_transform(TokenTransform transform) override {
    layers_.back()->set_token_transform(std::move(transform));
  }

 private:
  VitShape shape_;
  at::Tensor class_token_, pos_embedding_;
  torch::nn::Conv2d conv_proj_;
  std::vector<EncoderBlock> layers_;
  torch::nn::LayerNorm ln_;
};

// ShapeError unless image_NCHW is [N, 3, size_px, size_px].
void check_square_images(const at::Tensor& image_NCHW, int64_t size_px);

}  // namespace domainfusion
