#include "domainfusion/nn/layers/linear.h"

#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/memory/activation_memory.h"
#include "domainfusion/nn/operation_count.h"

namespace domainfusion {
namespace {

MatrixRows rows_of(const at::Tensor& x) {
  const std::int64_t depth = x.size(-1);
  return {x.data_ptr<float>(), x.numel() / std::max<std::int64_t>(depth, 1), depth, depth};
}

at::Tensor result_like(const at::Tensor& x, std::int64_t features) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = features;
  return new_activation(shape);
}

}  // namespace

LinearImpl::LinearImpl(std::int64_t in_features, std::int64_t out_features, bool bias)
    : PackedLayer({out_features, in_features}, out_features, bias) {}

void LinearImpl::add_low_rank(at::Tensor down_RI, at::Tensor up_OR) {
  check<ShapeError>(down_RI.dim() == 2 && up_OR.dim() == 2 && down_RI.size(1) == weight_.size(1) &&
                        up_OR.size(0) == weight_.size(0) && down_RI.size(0) == up_OR.size(1),
                    "low rank [{}], [{}] beside a weight [{}]", fmt::join(down_RI.sizes(), ", "),
                    fmt::join(up_OR.sizes(), ", "), fmt::join(weight_.sizes(), ", "));
  down_RI_ = std::move(down_RI);
  up_OR_ = std::move(up_OR);
}

at::Tensor LinearImpl::forward(const at::Tensor& x, const at::Tensor& residual) {
  const at::Tensor y = full_rank(x, residual);
  return down_RI_.defined() ? y + at::linear(at::linear(x, down_RI_), up_OR_) : y;
}

at::Tensor LinearImpl::full_rank(const at::Tensor& x, const at::Tensor& residual) {
  count_multiply_adds(static_cast<double>(x.numel()) * static_cast<double>(weight_.size(0)));
  if (uses_kernels({x, residual, bias_}, weight_)) return packed(x.contiguous(), residual);
  const at::Tensor y = at::linear(x, plain_weight(), bias_);
  return residual.defined() ? y + residual : y;
}

at::Tensor LinearImpl::packed(const at::Tensor& x, const at::Tensor& residual) {
  const auto weights = packed_weight();
  const at::Tensor out = result_like(x, weight_.size(0));
  const at::Tensor added = residual.defined() ? residual.contiguous() : residual;
  check<ShapeError>(!added.defined() || added.sizes() == out.sizes(), "linear result [{}], residual [{}]",
                    fmt::join(out.sizes(), ", "), fmt::join(added.defined() ? added.sizes() : at::IntArrayRef(), ", "));
  packed_product(rows_of(x), *weights,
                 {.out = out.data_ptr<float>(),
                  .bias = bias_.defined() ? bias_.data_ptr<float>() : nullptr,
                  .residual = added.defined() ? added.data_ptr<float>() : nullptr});
  return out;
}

GatedLinearImpl::GatedLinearImpl(std::int64_t in_features, std::int64_t out_features)
    : PackedLayer({2 * out_features, in_features}, 2 * out_features, true) {}

at::Tensor GatedLinearImpl::to_matrix_NSC(const at::Tensor& weight) const {
  return interleaved_halves(weight.contiguous()).unsqueeze(1);
}

at::Tensor GatedLinearImpl::from_matrix(const at::Tensor& matrix_NSC) const {
  return separated_halves(matrix_NSC.squeeze(1), weight_.size(0) / 2);
}

at::Tensor GatedLinearImpl::forward(const at::Tensor& x) {
  count_multiply_adds(static_cast<double>(x.numel()) * static_cast<double>(weight_.size(0)));
  if (uses_kernels({x, bias_}, weight_)) return packed(x.contiguous());
  const auto halves = at::linear(x, plain_weight(), bias_).chunk(2, -1);
  return halves[0] * at::gelu(halves[1]);
}

at::Tensor GatedLinearImpl::packed(const at::Tensor& x) {
  const std::int64_t features = weight_.size(0) / 2;
  const auto weights = packed_weight();
  const at::Tensor out = result_like(x, features);
  const float* bias = bias_.data_ptr<float>();
  gated_packed_product(rows_of(x), *weights, features, bias, bias + features, out.data_ptr<float>());
  return out;
}

}  // namespace domainfusion
