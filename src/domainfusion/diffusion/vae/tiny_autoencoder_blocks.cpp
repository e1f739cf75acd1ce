#include "domainfusion/diffusion/vae/tiny_autoencoder_blocks.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

namespace domainfusion {
namespace {

constexpr double kLatentMagnitude = 3;

// A place without weights in diffusers' numbering.
torch::nn::Identity no_weights() { return torch::nn::Identity(); }

std::vector<TinyBlock> tiny_blocks(std::int64_t count, std::int64_t channels, torch::nn::ModuleList& list) {
  std::vector<TinyBlock> blocks;
  for (std::int64_t i = 0; i < count; ++i) {
    blocks.emplace_back(channels);
    list->push_back(blocks.back());
  }
  return blocks;
}

at::Tensor through(std::vector<TinyBlock>& blocks, at::Tensor x_NChw) {
  for (TinyBlock& block : blocks) x_NChw = block(x_NChw);
  return x_NChw;
}

// In place where nobody else sees the values.
at::Tensor rectified(at::Tensor x) { return x.requires_grad() ? at::relu(x) : at::relu_(x); }

}  // namespace

TinyBlockImpl::TinyBlockImpl(std::int64_t channels)
    : first_(three_by_three(channels, channels)),
      second_(three_by_three(channels, channels)),
      third_(three_by_three(channels, channels)) {
  register_module("conv", torch::nn::ModuleList(first_, no_weights(), second_, no_weights(), third_));
}

at::Tensor TinyBlockImpl::forward(const at::Tensor& x_NChw) {
  const at::Tensor inner = rectified(second_(rectified(first_(x_NChw))));
  return rectified(third_(inner, Conv2dExtras{.residual_NChw = x_NChw}));
}

TinyEncoderImpl::TinyEncoderImpl(const AutoencoderConfig& c) {
  torch::nn::ModuleList layers;
  for (std::size_t level = 0; level < c.block_out_channels.size(); ++level) {
    const std::int64_t channels = c.block_out_channels[level];
    if (level == 0) {
      layers->push_back(conv_in_ = Conv2d(three_by_three(c.in_channels, channels)));
    } else {
      Conv2dOptions halving = three_by_three(channels, channels);
      halving.stride = 2;
      layers->push_back(halvings_.emplace_back(Conv2d(halving)));
    }
    levels_.push_back(tiny_blocks(c.encoder_blocks[level], channels, layers));
  }
  layers->push_back(conv_out_ = Conv2d(three_by_three(c.block_out_channels.back(), c.latent_channels)));
  register_module("layers", layers);
}

at::Tensor TinyEncoderImpl::forward(const at::Tensor& image11_NCHW) {
  at::Tensor x = conv_in_(image11_NCHW * 0.5 + 0.5);
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    if (level > 0) x = halvings_[level - 1](x);
    x = through(levels_[level], x);
  }
  return conv_out_(x);
}

TinyDecoderImpl::TinyDecoderImpl(const AutoencoderConfig& c) {
  torch::nn::ModuleList layers;
  const std::size_t levels = c.decoder_channels.size();
  layers->push_back(conv_in_ = Conv2d(three_by_three(c.latent_channels, c.decoder_channels.front())));
  layers->push_back(no_weights());
  for (std::size_t level = 0; level < levels; ++level) {
    const std::int64_t channels = c.decoder_channels[level];
    levels_.push_back(tiny_blocks(c.decoder_blocks[level], channels, layers));
    const bool last = level + 1 == levels;
    if (!last) layers->push_back(no_weights());  // the enlargement
    convs_.push_back(Conv2d(three_by_three(channels, last ? c.out_channels : channels)));
    layers->push_back(convs_.back());
  }
  register_module("layers", layers);
}

at::Tensor TinyDecoderImpl::forward(const at::Tensor& latent_NChw) {
  at::Tensor x = rectified(conv_in_(at::tanh(latent_NChw / kLatentMagnitude) * kLatentMagnitude));
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    x = through(levels_[level], x);
    const bool last = level + 1 == levels_.size();
    x = convs_[level](x, last ? Conv2dExtras{} : Conv2dExtras{.height = 2 * x.size(2), .width = 2 * x.size(3)});
  }
  return x * 2.0 - 1.0;
}

}  // namespace domainfusion
