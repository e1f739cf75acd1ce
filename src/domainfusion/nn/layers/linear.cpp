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

at::Tensor LinearImpl::forward(const at::Tensor& x, const at::Tensor& residual) {
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
