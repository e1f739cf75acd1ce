#include "domainfusion/diffusion/unet/unet_blocks.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

#include "domainfusion/config/model_config.h"
#include "domainfusion/nn/recomputed.h"

namespace domainfusion {
namespace {

ResnetBlock2d timed_resnet(const UNetConfig& c, std::int64_t from, std::int64_t to) {
  return ResnetBlock2d(ResnetBlockOptions{.in_channels = from,
                                          .out_channels = to,
                                          .time_channels = c.time_channels(),
                                          .groups = c.norm_num_groups,
                                          .eps = c.norm_eps});
}

Transformer2d transformer(const UNetConfig& c, std::size_t level) {
  return Transformer2d(Transformer2dOptions{.channels = c.block_out_channels[level],
                                            .context_dim = c.cross_attention_dim,
                                            .heads = at_level(c.attention_head_dim, level),
                                            .layers = at_level(c.transformer_layers_per_block, level),
                                            .groups = c.norm_num_groups,
                                            .linear_projection = c.use_linear_projection});
}

// A residual block and, unless it is empty, the transformer behind it, on the parts of x.
at::Tensor layer_of(ResnetBlock2d resnet, Transformer2d attention, std::vector<at::Tensor> parts,
                    const UNetCondition& condition) {
  const Layer layer = [resnet, attention](const std::vector<at::Tensor>& in) mutable {
    const std::size_t parts_of_x = in.size() - 2;
    const at::Tensor x = resnet(at::TensorList(in.data(), parts_of_x), in[parts_of_x]);
    return attention.is_empty() ? x : attention(x, in[parts_of_x + 1]);
  };
  parts.push_back(condition.silu_time_NT);
  parts.push_back(condition.context_NMD);
  return RecomputesLayers::active() ? recomputed(layer, parts) : layer(parts);
}

template <class Holder>
void register_list(torch::nn::Module& owner, const char* name, const std::vector<Holder>& modules) {
  torch::nn::ModuleList list;
  for (const Holder& module : modules) list->push_back(module);
  owner.register_module(name, list);
}

}  // namespace

UNetDownBlockImpl::UNetDownBlockImpl(const UNetConfig& c, std::size_t level) {
  const std::int64_t from = c.block_out_channels[level == 0 ? 0 : level - 1], to = c.block_out_channels[level];
  const bool attends = c.down_block_types[level] == "CrossAttnDownBlock2D";
  for (std::int64_t i = 0; i < at_level(c.layers_per_block, level); ++i) {
    resnets_.push_back(timed_resnet(c, i == 0 ? from : to, to));
    if (attends) attentions_.push_back(transformer(c, level));
  }
  register_list(*this, "resnets", resnets_);
  if (attends) register_list(*this, "attentions", attentions_);
  if (level + 1 < c.levels()) {
    downsampler_ = Downsample2d(to, c.downsample_padding);
    register_module("downsamplers", torch::nn::ModuleList(downsampler_));
  }
}

at::Tensor UNetDownBlockImpl::forward(at::Tensor x, const UNetCondition& condition, std::vector<at::Tensor>& skips) {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    x = layer_of(resnets_[i], attentions_.empty() ? Transformer2d(nullptr) : attentions_[i], {x}, condition);
    skips.push_back(x);
  }
  if (downsampler_) {
    x = downsampler_(x);
    skips.push_back(x);
  }
  return x;
}

UNetMidBlockImpl::UNetMidBlockImpl(const UNetConfig& c)
    : first_(timed_resnet(c, c.block_out_channels.back(), c.block_out_channels.back())),
      second_(timed_resnet(c, c.block_out_channels.back(), c.block_out_channels.back())),
      attentions_{transformer(c, c.levels() - 1)} {
  register_module("resnets", torch::nn::ModuleList(first_, second_));
  register_list(*this, "attentions", attentions_);
}

at::Tensor UNetMidBlockImpl::forward(at::Tensor x, const UNetCondition& condition) {
  x = layer_of(first_, attentions_[0], {x}, condition);
  return layer_of(second_, Transformer2d(nullptr), {x}, condition);
}

UNetUpBlockImpl::UNetUpBlockImpl(const UNetConfig& c, std::size_t index) {
  const auto& channels = c.block_out_channels;
  const std::size_t level = c.levels() - 1 - index;
  const std::int64_t from = channels[index == 0 ? level : level + 1], to = channels[level];
  const std::int64_t last_skip = channels[level == 0 ? 0 : level - 1];
  const std::int64_t layers = at_level(c.layers_per_block, level) + 1;
  const bool attends = c.up_block_types[index] == "CrossAttnUpBlock2D";
  for (std::int64_t i = 0; i < layers; ++i) {
    resnets_.push_back(timed_resnet(c, (i == 0 ? from : to) + (i + 1 == layers ? last_skip : to), to));
    if (attends) attentions_.push_back(transformer(c, level));
  }
  register_list(*this, "resnets", resnets_);
  if (attends) register_list(*this, "attentions", attentions_);
  if (level > 0) {
    upsampler_ = Upsample2d(to);
    register_module("upsamplers", torch::nn::ModuleList(upsampler_));
  }
}

at::Tensor UNetUpBlockImpl::forward(at::Tensor x, const UNetCondition& condition, std::vector<at::Tensor>& skips) {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    const std::vector<at::Tensor> joined{x, skips.back()};
    skips.pop_back();
    x = layer_of(resnets_[i], attentions_.empty() ? Transformer2d(nullptr) : attentions_[i], joined, condition);
  }
  // The skip's size is twice the current one, or one less where the level below was rounded up.
  return upsampler_ ? upsampler_(x, skips.back().size(2), skips.back().size(3)) : x;
}

}  // namespace domainfusion
