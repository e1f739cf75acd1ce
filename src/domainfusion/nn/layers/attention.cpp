#include "domainfusion/nn/layers/attention.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/core/libtorch_version.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/kernels/blocked_attention.h"
#include "domainfusion/nn/operation_count.h"

namespace domainfusion {
namespace {

// [N, L, C] -> [N heads, L, C/heads]; without a copy for one head.
at::Tensor split_heads(const at::Tensor& x_NLC, std::int64_t heads) {
  if (heads == 1) return x_NLC;
  const std::int64_t n = x_NLC.size(0), length = x_NLC.size(1), depth = x_NLC.size(2) / heads;
  return x_NLC.view({n, length, heads, depth}).transpose(1, 2).reshape({n * heads, length, depth});
}

at::Tensor join_heads(const at::Tensor& x, std::int64_t heads) {
  if (heads == 1) return x;
  const std::int64_t n = x.size(0) / heads, length = x.size(1), depth = x.size(2);
  return x.view({n, heads, length, depth}).transpose(1, 2).reshape({n, length, heads * depth});
}

#if DOMAINFUSION_TORCH_AT_LEAST(2, 0)
constexpr std::int64_t kRepeatableScores = 1024 * 1024;  // of one head

// libtorch's kernels for GPUs hold no scores, but the gradients that they give differ in their last digits from call to
// call: where scores are few, gradients come the plain way.
bool suits_fused_attention(const at::Tensor& q_NLC, const at::Tensor& k_NMC, const at::Tensor& v_NMC) {
  if (!q_NLC.is_cuda() || PlainOperations::active()) return false;
  const bool graph =
      at::GradMode::is_enabled() && (q_NLC.requires_grad() || k_NMC.requires_grad() || v_NMC.requires_grad());
  return !graph || q_NLC.size(1) * k_NMC.size(1) > kRepeatableScores;
}

// Sums are kept in float32.
at::Tensor fused_attention(const at::Tensor& q_NLC, const at::Tensor& k_NMC, const at::Tensor& v_NMC,
                           std::int64_t heads, const at::Tensor& mask_LM) {
  const auto by_head = [heads](const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), heads, -1}).transpose(1, 2);
  };
  const c10::optional<at::Tensor> mask = mask_LM.defined() ? c10::optional<at::Tensor>(mask_LM) : c10::nullopt;
  return at::scaled_dot_product_attention(by_head(q_NLC), by_head(k_NMC), by_head(v_NMC), mask)
      .transpose(1, 2)
      .flatten(2);
}
#endif

}  // namespace

at::Tensor attend(const at::Tensor& q_NLC, const at::Tensor& k_NMC, const at::Tensor& v_NMC, std::int64_t heads,
                  const at::Tensor& mask_LM) {
  if (needs_float32_sums(q_NLC)) {
    return attend(q_NLC.to(at::kFloat), k_NMC.to(at::kFloat), v_NMC.to(at::kFloat), heads,
                  mask_LM.defined() ? mask_LM.to(at::kFloat) : mask_LM)
        .to(q_NLC.scalar_type());
  }
  count_multiply_adds(2.0 * static_cast<double>(q_NLC.numel()) * static_cast<double>(k_NMC.size(1)));
  if (!mask_LM.defined() && k_NMC.size(1) > 0 && uses_kernels({q_NLC, k_NMC, v_NMC})) {
    return blocked_attention(q_NLC, k_NMC, v_NMC, heads);
  }
#if DOMAINFUSION_TORCH_AT_LEAST(2, 0)
  if (suits_fused_attention(q_NLC, k_NMC, v_NMC)) return fused_attention(q_NLC, k_NMC, v_NMC, heads, mask_LM);
#endif
  const double scale = 1.0 / std::sqrt(static_cast<double>(q_NLC.size(2) / heads));
  // Scaling the queries is cheaper than scaling the scores; libtorch 1.13's baddbmm, which could do both, returns
  // garbage for small matrices.
  at::Tensor scores = at::bmm(split_heads(q_NLC * scale, heads), split_heads(k_NMC, heads).transpose(1, 2));
  if (mask_LM.defined()) scores.add_(mask_LM);
  return join_heads(at::bmm(at::softmax(scores, -1), split_heads(v_NMC, heads)), heads);
}

AttentionImpl::AttentionImpl(const AttentionOptions& o)
    : heads_(o.heads),
      to_q_(register_module("to_q", Linear(o.query_dim, o.query_dim, o.projection_bias))),
      to_k_(register_module("to_k", Linear(o.context_dim, o.query_dim, o.projection_bias))),
      to_v_(register_module("to_v", Linear(o.context_dim, o.query_dim, o.projection_bias))),
      to_out_(register_module("to_out", torch::nn::ModuleList(Linear(o.query_dim, o.query_dim)))) {
  check<ConfigError>(o.heads >= 1 && o.query_dim % o.heads == 0, "{} attention heads do not divide {} channels",
                     o.heads, o.query_dim);
}

AttentionImpl::Projected AttentionImpl::project(const at::Tensor& context_NMD) {
  return {.context_NMD = context_NMD, .k_NMC = to_k_(context_NMD), .v_NMC = to_v_(context_NMD)};
}

AttentionImpl::Projected AttentionImpl::remembered_projection(const at::Tensor& context_NMD) {
  const std::lock_guard lock(mutex_);
  const auto k_weight = to_k_->packed_weight(), v_weight = to_v_->packed_weight();
  const auto version = static_cast<std::uint32_t>(context_NMD._version());
  // What is remembered is held, so nothing else can have taken its place in memory.
  const bool known = last_.context_NMD.is_same(context_NMD) && last_.version == version && last_.k_weight == k_weight &&
                     last_.v_weight == v_weight;
  if (!known) {
    last_ = project(context_NMD);
    last_.version = version;
    last_.k_weight = k_weight;
    last_.v_weight = v_weight;
  }
  return last_;
}

at::Tensor AttentionImpl::forward(const at::Tensor& x_NLC, const at::Tensor& context_NMD,
                                  const at::Tensor& residual_NLC) {
  const bool lasts =
      !context_NMD.is_same(x_NLC) && to_k_->computes_packed(context_NMD) && to_v_->computes_packed(context_NMD);
  const Projected projected = lasts ? remembered_projection(context_NMD) : project(context_NMD);
  const at::Tensor mixed = attend(to_q_(x_NLC), projected.k_NMC, projected.v_NMC, heads_);
  return to_out_[0]->as<Linear>()->forward(mixed, residual_NLC);
}

}  // namespace domainfusion
