#pragma once
// The image encoder of CLIP (Radford et al., ICML 2021) as a vision transformer, with the names of OpenAI's state dicts
// ("visual.conv1.weight").

#include "domainfusion/classifiers/backbones/vit.h"

namespace domainfusion {

class ClipVit : public Transformer {
 public:
  // projection: size of the space that CLIP shares with text; 0: features are taken before the projection.
  // ConfigError: see patches_per_side and EncoderBlockImpl.
  ClipVit(const VitShape& shape, int64_t projection);

  // The class token behind ln_post, times proj where there is one. ShapeError unless images have the size of the shape.
  at::Tensor features(const at::Tensor& image_NCHW) override;
  int64_t feature_size() const override { return proj_.defined() ? proj_.size(1) : shape_.hidden; }
  std::string head_name() const override { return "head"; }
  torch::nn::Conv2dImpl* first_layer() override { return conv1_.get(); }
  void initialise(std::uint64_t seed) override;
  // Takes OpenAI's whole CLIP, whose text encoder is left out, the names of transformers' CLIPModel and
  // CLIPVisionModel, and positional embeddings of another image size.
  void adapt_weights(TensorMap& weights) const override;
  bool expects_clip_statistics() const override { return true; }
  void set_token_transform(TokenTransform transform) override {
    blocks_.back()->set_token_transform(std::move(transform));
  }

 private:
  VitShape shape_;
  at::Tensor class_embedding_, positional_embedding_, proj_;
  torch::nn::Conv2d conv1_;
  torch::nn::LayerNorm ln_pre_, ln_post_;
  std::vector<EncoderBlock> blocks_;
};

}  // namespace domainfusion
