#include "domainfusion/diffusion/vae/autoencoder_blocks.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

#include "domainfusion/nn/layers/attention.h"

namespace domainfusion {
namespace {

constexpr double kNormEps = 1e-6;

ResnetBlock2d plain_resnet(std::int64_t from, std::int64_t to, std::int64_t groups) {
  return ResnetBlock2d(ResnetBlockOptions{
      .in_channels = from, .out_channels = to, .time_channels = 0, .groups = groups, .eps = kNormEps});
}

}  // namespace

PixelAttentionImpl::PixelAttentionImpl(std::int64_t channels, std::int64_t groups)
    : group_norm_(register_module("group_norm", GroupNorm(groups, channels, kNormEps))),
      to_q_(register_module("to_q", Linear(channels, channels))),
      to_k_(register_module("to_k", Linear(channels, channels))),
      to_v_(register_module("to_v", Linear(channels, channels))),
      to_out_(register_module("to_out", torch::nn::ModuleList(Linear(channels, channels)))) {}

at::Tensor PixelAttentionImpl::forward(const at::Tensor& x_NChw) {
  const at::Tensor pixels_NLC = group_norm_(x_NChw).flatten(2).transpose(1, 2).contiguous();
  const at::Tensor mixed_NLC =
      to_out_[0]->as<Linear>()->forward(attend(to_q_(pixels_NLC), to_k_(pixels_NLC), to_v_(pixels_NLC), 1));
  return mixed_NLC.transpose(1, 2).reshape(x_NChw.sizes()) + x_NChw;
}

AutoencoderLevelImpl::AutoencoderLevelImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t layers,
                                           std::int64_t groups, Resample resample) {
  auto list = register_module("resnets", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < layers; ++i) {
    resnets_.push_back(plain_resnet(i == 0 ? in_channels : out_channels, out_channels, groups));
    list->push_back(resnets_.back());
  }
  if (resample == Resample::kDown) {
    downsampler_ = Downsample2d(out_channels, 0);
    register_module("downsamplers", torch::nn::ModuleList(downsampler_));
  } else if (resample == Resample::kUp) {
    upsampler_ = Upsample2d(out_channels);
    register_module("upsamplers", torch::nn::ModuleList(upsampler_));
  }
}

at::Tensor AutoencoderLevelImpl::forward(at::Tensor x) {
  for (ResnetBlock2d& resnet : resnets_) x = resnet(x);
  if (downsampler_) return downsampler_(x);
  if (upsampler_) return upsampler_(x, 2 * x.size(2), 2 * x.size(3));
  return x;
}

AutoencoderMidBlockImpl::AutoencoderMidBlockImpl(std::int64_t channels, std::int64_t groups, bool add_attention)
    : first_(plain_resnet(channels, channels, groups)), second_(plain_resnet(channels, channels, groups)) {
  register_module("resnets", torch::nn::ModuleList(first_, second_));
  if (add_attention) {
    attention_ = PixelAttention(channels, groups);
    register_module("attentions", torch::nn::ModuleList(attention_));
  }
}

at::Tensor AutoencoderMidBlockImpl::forward(at::Tensor x) {
  x = first_(x);
  if (attention_) x = attention_(x);
  return second_(x);
}

EncoderImpl::EncoderImpl(const AutoencoderConfig& c)
    : conv_in_(register_module("conv_in", Conv2d(three_by_three(c.in_channels, c.block_out_channels.front())))),
      mid_block_(nullptr),
      conv_norm_out_(nullptr),
      conv_out_(nullptr) {
  const auto& channels = c.block_out_channels;
  auto list = register_module("down_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const bool last = i + 1 == channels.size();
    levels_.push_back(
        AutoencoderLevel(channels[i == 0 ? 0 : i - 1], channels[i], c.layers_per_block, c.norm_num_groups,
                         last ? AutoencoderLevelImpl::Resample::kNone : AutoencoderLevelImpl::Resample::kDown));
    list->push_back(levels_.back());
  }
  mid_block_ =
      register_module("mid_block", AutoencoderMidBlock(channels.back(), c.norm_num_groups, c.mid_block_add_attention));
  conv_norm_out_ = register_module(
      "conv_norm_out", GroupNorm(c.norm_num_groups, channels.back(), kNormEps, GroupNormImpl::Activation::kSilu));
  conv_out_ = register_module("conv_out", Conv2d(three_by_three(channels.back(), 2 * c.latent_channels)));
}

at::Tensor EncoderImpl::forward(const at::Tensor& image_NCHW) {
  at::Tensor x = conv_in_(image_NCHW);
  for (AutoencoderLevel& level : levels_) x = level(x);
  return conv_out_(conv_norm_out_(mid_block_(x)));
}

DecoderImpl::DecoderImpl(const AutoencoderConfig& c)
    : conv_in_(register_module("conv_in", Conv2d(three_by_three(c.latent_channels, c.block_out_channels.back())))),
      mid_block_(register_module(
          "mid_block", AutoencoderMidBlock(c.block_out_channels.back(), c.norm_num_groups, c.mid_block_add_attention))),
      conv_norm_out_(nullptr),
      conv_out_(nullptr) {
  const std::vector<std::int64_t> channels(c.block_out_channels.rbegin(), c.block_out_channels.rend());
  auto list = register_module("up_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const bool last = i + 1 == channels.size();
    levels_.push_back(
        AutoencoderLevel(channels[i == 0 ? 0 : i - 1], channels[i], c.layers_per_block + 1, c.norm_num_groups,
                         last ? AutoencoderLevelImpl::Resample::kNone : AutoencoderLevelImpl::Resample::kUp));
    list->push_back(levels_.back());
  }
  conv_norm_out_ = register_module(
      "conv_norm_out", GroupNorm(c.norm_num_groups, channels.back(), kNormEps, GroupNormImpl::Activation::kSilu));
  conv_out_ = register_module("conv_out", Conv2d(three_by_three(channels.back(), c.out_channels)));
}

at::Tensor DecoderImpl::forward(const at::Tensor& latent_NChw) {
  at::Tensor x = mid_block_(conv_in_(latent_NChw));
  for (AutoencoderLevel& level : levels_) x = level(x);
  return conv_out_(conv_norm_out_(x));
}

}  // namespace domainfusion
