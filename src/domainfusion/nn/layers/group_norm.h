#pragma once
// Group normalisation (Wu and He 2018), with the SiLU that follows it in latent diffusion models.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

namespace domainfusion {

// State-dict names: weight [C], bias [C]; not initialised.
class GroupNormImpl : public torch::nn::Module {
 public:
  enum class Activation { kNone, kSilu };
  // ConfigError that names norm_num_groups unless `groups` divides `channels`.
  GroupNormImpl(std::int64_t groups, std::int64_t channels, double eps, Activation activation = Activation::kNone);
  // Several maps [N, C_i, h, w] stand for their concatenation along the channels. Returns [N, C, h, w], channels last
  // in memory where the kernels compute.
  at::Tensor forward(at::TensorList maps);

 private:
  at::Tensor plain(at::TensorList maps) const;
  at::Tensor channels_last(at::TensorList maps) const;

  std::int64_t groups_, channels_;
  double eps_;
  bool silu_;
  at::Tensor weight_, bias_;
};
TORCH_MODULE(GroupNorm);

}  // namespace domainfusion
