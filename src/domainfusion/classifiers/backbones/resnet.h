#pragma once
// Residual networks (He et al., CVPR 2016) with torchvision's submodule names, stride placement (on the 3x3 convolution
// of a bottleneck) and initialisation, so that its state dicts load as they are.

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>

#include <array>
#include <functional>
#include <vector>

#include "domainfusion/classifiers/backbones/backbone.h"

namespace domainfusion {

// "imagenet": 7x7 stride-2 convolution, then 3x3 stride-2 max-pool (a quarter of the input's side).
// "small": one 3x3 stride-2 convolution (half of the input's side), for images of about 64 px.
enum class Stem { kImagenet, kSmall };

struct ResnetShape {
  std::array<int64_t, 4> blocks{2, 2, 2, 2};  // residual blocks per stage
  bool bottleneck = false;                    // 1x1, 3x3, 1x1 with 4-fold expansion, else two 3x3
  int64_t width = 64;                         // channels of the stem and of stage 1's planes; stages double it
  int64_t width_per_group = 64;  // inner 3x3 of a bottleneck has planes * width_per_group / 64 * groups channels
  int64_t groups = 1;            // of that 3x3
  Stem stem = Stem::kImagenet;
};

// What the next stage gets in place of the output x_NCHW of stage `stage` (1 … 4; 0: the stem): a tensor of the same
// shape and dtype.
using StageTransform = std::function<at::Tensor(int stage, const at::Tensor& x_NCHW)>;

class Resnet : public Backbone {
 public:
  // ConfigError if `shape` has a value below 1, or groups on blocks that are not bottlenecks.
  explicit Resnet(const ResnetShape& shape);

  // Outputs of stage 1 to 4, [N, C_i, H_i, W_i], C_i = width * 2^i (* 4 for bottlenecks).
  std::vector<at::Tensor> stages(const at::Tensor& image_NCHW);
  // Sides of those maps for square images of this side, in px.
  std::vector<std::int64_t> stage_sides(std::int64_t image_side_px) const;
  // Every forward from here on passes through `transform`, in train and in eval mode; empty: none, as at first. It is
  // no part of the weights: whoever sets it takes it away again.
  void set_stage_transform(StageTransform transform) { transform_ = std::move(transform); }
  // Mean over space of the last stage.
  at::Tensor features(const at::Tensor& image_NCHW) override;
  int64_t feature_size() const override { return feature_size_; }
  std::string head_name() const override { return "fc"; }
  bool is_same_each_step() const override { return !transform_ && Backbone::is_same_each_step(); }
  torch::nn::Conv2dImpl* first_layer() override { return conv1_.get(); }
  void initialise(std::uint64_t seed) override;
  // Takes files written before torchvision counted batches: they lack "num_batches_tracked".
  void adapt_weights(TensorMap& weights) const override;

 private:
  torch::nn::Sequential make_stage(const ResnetShape& shape, int stage);

  Stem stem_;
  int64_t in_channels_ = 0;
  int64_t feature_size_ = 0;
  torch::nn::Conv2d conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  std::vector<torch::nn::Sequential> stages_;
  StageTransform transform_;
};

}  // namespace domainfusion
