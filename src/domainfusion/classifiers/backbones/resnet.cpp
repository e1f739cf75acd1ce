#include "domainfusion/classifiers/backbones/resnet.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/distributed/synchronised_batch_norm.h"
#include "domainfusion/nn/initialise.h"

namespace domainfusion {
namespace {

torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t groups = 1) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false));
}

// As torch's: without a momentum, the running statistics are the plain mean of all batches since they were reset.
at::Tensor normalised_over_ranks(torch::nn::BatchNorm2d& batch_norm, const at::Tensor& x_NCHW, Ranks& ranks) {
  const std::int64_t batches = batch_norm->num_batches_tracked.add_(1).item<std::int64_t>();
  const double momentum = batch_norm->options.momentum().value_or(1.0 / static_cast<double>(batches));
  return synchronised_batch_norm(x_NCHW, batch_norm->weight, batch_norm->bias, batch_norm->running_mean,
                                 batch_norm->running_var, momentum, batch_norm->options.eps(), ranks);
}

// In training a channel's statistics need two values at least; libtorch's own words for that name no remedy.
at::Tensor normalised(torch::nn::BatchNorm2d& batch_norm, const at::Tensor& x_NCHW) {
  if (batch_norm->is_training() && batch_ranks() != nullptr)
    return normalised_over_ranks(batch_norm, x_NCHW, *batch_ranks());
  check<ConfigError>(!batch_norm->is_training() || x_NCHW.numel() > x_NCHW.size(1),
                     "batch norm cannot train on one image whose maps are 1 x 1: raise loader.batch_size or "
                     "loader.image_size_px, lower optimizer.accumulation_steps, or set classifier.freeze_batch_norm");
  return batch_norm(x_NCHW);
}

// The projection of the shortcut where shape changes: 1x1 convolution and batch norm; null where the shortcut is the
// identity.
torch::nn::Sequential projection(int64_t in, int64_t out, int64_t stride) {
  if (stride == 1 && in == out) return nullptr;
  return torch::nn::Sequential(convolution(in, out, 1, stride), torch::nn::BatchNorm2d(out));
}

at::Tensor shortcut(torch::nn::Sequential& downsample, const at::Tensor& x) {
  if (downsample.is_empty()) return x;
  torch::nn::BatchNorm2d batch_norm(std::dynamic_pointer_cast<torch::nn::BatchNorm2dImpl>(downsample->ptr(1)));
  return normalised(batch_norm, downsample->ptr(0)->as<torch::nn::Conv2d>()->forward(x));
}

// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))
class BasicBlock : public torch::nn::Module {
 public:
  BasicBlock(int64_t in, int64_t planes, int64_t stride)
      : conv1_(register_module("conv1", convolution(in, planes, 3, stride))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(planes))),
        conv2_(register_module("conv2", convolution(planes, planes, 3, 1))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(planes))),
        downsample_(projection(in, planes, stride)) {
    if (!downsample_.is_empty()) register_module("downsample", downsample_);
  }

  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor inner = normalised(bn1_, conv1_(x)).relu_();
    return normalised(bn2_, conv2_(inner)).add_(shortcut(downsample_, x)).relu_();
  }

 private:
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  torch::nn::BatchNorm2d bn2_;
  torch::nn::Sequential downsample_;
};

constexpr int64_t kExpansion = 4;

class Bottleneck : public torch::nn::Module {
 public:
  Bottleneck(int64_t in, int64_t planes, int64_t inner, int64_t stride, int64_t groups)
      : conv1_(register_module("conv1", convolution(in, inner, 1, 1))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(inner))),
        conv2_(register_module("conv2", convolution(inner, inner, 3, stride, groups))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(inner))),
        conv3_(register_module("conv3", convolution(inner, planes * kExpansion, 1, 1))),
        bn3_(register_module("bn3", torch::nn::BatchNorm2d(planes * kExpansion))),
        downsample_(projection(in, planes * kExpansion, stride)) {
    if (!downsample_.is_empty()) register_module("downsample", downsample_);
  }

  at::Tensor forward(const at::Tensor& x) {
    at::Tensor inner = normalised(bn1_, conv1_(x)).relu_();
    inner = normalised(bn2_, conv2_(inner)).relu_();
    return normalised(bn3_, conv3_(inner)).add_(shortcut(downsample_, x)).relu_();
  }

 private:
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  torch::nn::BatchNorm2d bn2_;
  torch::nn::Conv2d conv3_;
  torch::nn::BatchNorm2d bn3_;
  torch::nn::Sequential downsample_;
};

void check_shape(const ResnetShape& shape) {
  for (const int64_t count : shape.blocks) {
    check<ConfigError>(count >= 1, "a residual stage of {} blocks: expected at least 1", count);
  }
  check<ConfigError>(shape.width >= 1 && shape.width_per_group >= 1 && shape.groups >= 1,
                     "residual network of width {}, width_per_group {}, groups {}: each must be at least 1",
                     shape.width, shape.width_per_group, shape.groups);
  check<ConfigError>(shape.bottleneck || (shape.groups == 1 && shape.width_per_group == 64),
                     "groups and width_per_group need bottleneck blocks");
}

}  // namespace

Resnet::Resnet(const ResnetShape& shape) : stem_(shape.stem) {
  check_shape(shape);
  conv1_ = register_module("conv1", convolution(3, shape.width, stem_ == Stem::kImagenet ? 7 : 3, 2));
  bn1_ = register_module("bn1", torch::nn::BatchNorm2d(shape.width));
  in_channels_ = shape.width;
  for (int stage = 0; stage < 4; ++stage) {
    stages_.push_back(register_module(fmt::format("layer{}", stage + 1), make_stage(shape, stage)));
  }
  feature_size_ = in_channels_;
}

torch::nn::Sequential Resnet::make_stage(const ResnetShape& shape, int stage) {
  torch::nn::Sequential blocks;
  const int64_t planes = shape.width << stage;
  const int64_t inner = planes * shape.width_per_group / 64 * shape.groups;
  for (int64_t i = 0; i < shape.blocks[static_cast<std::size_t>(stage)]; ++i) {
    const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
    if (shape.bottleneck) {
      blocks->push_back(Bottleneck(in_channels_, planes, inner, stride, shape.groups));
      in_channels_ = planes * kExpansion;
    } else {
      blocks->push_back(BasicBlock(in_channels_, planes, stride));
      in_channels_ = planes;
    }
  }
  return blocks;
}

std::vector<at::Tensor> Resnet::stages(const at::Tensor& image_NCHW) {
  // On a CPU a training step with channels last in memory takes 0.88 (224 px) to 0.95 (64 px) of the time; maps keep
  // that order throughout. A GPU's float32 convolutions are made for the other order. So are networks of fewer than 8
  // channels: without AVX-512, oneDNN 2.6's gradient of a 1x1 convolution of stride 2 over such maps, channels last,
  // writes behind its memory.
  const bool channels_last = image_NCHW.is_cpu() && conv1_->options.out_channels() % 8 == 0;
  const at::MemoryFormat format = channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  at::Tensor x = normalised(bn1_, first_output(image_NCHW.contiguous(format))).relu_();
  if (stem_ == Stem::kImagenet) x = torch::max_pool2d(x, 3, 2, 1);
  if (transform_) x = transform_(0, x);
  std::vector<at::Tensor> outputs;
  for (auto& stage : stages_) {
    x = stage->forward(x);
    if (transform_) x = transform_(static_cast<int>(outputs.size()) + 1, x);
    outputs.push_back(x);
  }
  return outputs;
}

std::vector<std::int64_t> Resnet::stage_sides(std::int64_t image_side_px) const {
  const auto halved = [](std::int64_t side) { return (side + 1) / 2; };
  std::int64_t side = halved(image_side_px);
  if (stem_ == Stem::kImagenet) side = halved(side);
  std::vector<std::int64_t> sides;
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    if (stage > 0) side = halved(side);
    sides.push_back(side);
  }
  return sides;
}

at::Tensor Resnet::features(const at::Tensor& image_NCHW) { return stages(image_NCHW).back().mean({2, 3}); }

// torchvision: convolutions N(0, 2 / fan_out); batch norm keeps its ones and zeros.
void Resnet::initialise(std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const auto& module : named_modules({}, /*include_self=*/false)) {
    const auto* layer = module.value()->as<torch::nn::Conv2d>();
    if (!layer) continue;
    const auto shape = layer->weight.sizes();
    const double fan_out =
        static_cast<double>(shape[0] * shape[2] * shape[3]) / static_cast<double>(layer->options.groups());
    RandomStream stream(seed, "init " + module.key());
    fill_normal(layer->weight, std::sqrt(2.0 / fan_out), stream);
  }
}

void Resnet::adapt_weights(TensorMap& weights) const {
  for (const auto& buffer : named_buffers()) {
    if (buffer.key().ends_with("num_batches_tracked")) weights.emplace(buffer.key(), buffer.value());
  }
}

}  // namespace domainfusion
