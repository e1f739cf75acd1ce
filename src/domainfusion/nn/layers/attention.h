#pragma once
// Multi-head attention (Vaswani et al. 2017, eq. 1) over sequences.

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <mutex>

#include "domainfusion/nn/layers/linear.h"

namespace domainfusion {

// softmax(q k^T / sqrt(C/heads) + mask) v per head. q [N, L, C]; k, v [N, M, C]; heads divides C; mask [L, M] (added to
// the scores) or undefined. Returns a new tensor [N, L, C].
at::Tensor attend(const at::Tensor& q_NLC, const at::Tensor& k_NMC, const at::Tensor& v_NMC, std::int64_t heads,
                  const at::Tensor& mask_LM = {});

// diffusers' Attention: to_q, to_k, to_v, to_out.0. The inner width equals query_dim.
struct AttentionOptions {
  std::int64_t query_dim = 0;
  std::int64_t context_dim = 0;
  std::int64_t heads = 1;  // divides query_dim
  bool projection_bias = false;
};

class AttentionImpl : public torch::nn::Module {
 public:
  explicit AttentionImpl(const AttentionOptions& options);
  // x [N, L, query_dim], context [N, M, context_dim] -> [N, L, query_dim], plus `residual` of that shape where it is
  // defined.
  at::Tensor forward(const at::Tensor& x_NLC, const at::Tensor& context_NMD, const at::Tensor& residual_NLC = {});

 private:
  // Keys and values of a context that stays the same over many steps, as a prompt's does.
  struct Projected {
    at::Tensor context_NMD, k_NMC, v_NMC;
    std::uint32_t version = 0;
    std::shared_ptr<const PackedMatrix> k_weight = {}, v_weight = {};
  };
  Projected project(const at::Tensor& context_NMD);
  Projected remembered_projection(const at::Tensor& context_NMD);

  std::int64_t heads_;
  std::mutex mutex_;
  Projected last_;
  Linear to_q_, to_k_, to_v_;
  torch::nn::ModuleList to_out_;
};
TORCH_MODULE(Attention);

}  // namespace domainfusion
