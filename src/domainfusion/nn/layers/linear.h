#pragma once
// Linear layers.

#include <torch/nn/pimpl.h>

#include "domainfusion/nn/layers/packed_layer.h"

namespace domainfusion {

// x W^T + b. State-dict names: weight [out, in], bias [out]; not initialised.
class LinearImpl : public PackedLayer {
 public:
  LinearImpl(std::int64_t in_features, std::int64_t out_features, bool bias = true);
  // x [..., in] -> [..., out], plus `residual` of that shape where it is defined.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual = {});
  // From now on every result has (x down^T) up^T added: a weight of low rank beside the own one, to be trained in its
  // place (LoRA, Hu et al. 2021, eq. 3). down [rank, in], up [out, rank].
  void add_low_rank(at::Tensor down_RI, at::Tensor up_OR);

 private:
  at::Tensor to_matrix_NSC(const at::Tensor& weight) const override { return weight.unsqueeze(1); }
  at::Tensor from_matrix(const at::Tensor& matrix_NSC) const override { return matrix_NSC.squeeze(1); }
  at::Tensor packed(const at::Tensor& x, const at::Tensor& residual);
  at::Tensor full_rank(const at::Tensor& x, const at::Tensor& residual);

  at::Tensor down_RI_, up_OR_;  // undefined: none
};
TORCH_MODULE(Linear);

// a * gelu(b) with [a, b] = x W^T + c; exact gelu (Shazeer 2020, GEGLU). State-dict names: weight [2 out, in], bias [2
// out].
class GatedLinearImpl : public PackedLayer {
 public:
  GatedLinearImpl(std::int64_t in_features, std::int64_t out_features);
  at::Tensor forward(const at::Tensor& x);  // [..., in] -> [..., out]

 private:
  at::Tensor to_matrix_NSC(const at::Tensor& weight) const override;
  at::Tensor from_matrix(const at::Tensor& matrix_NSC) const override;
  at::Tensor packed(const at::Tensor& x);
};
TORCH_MODULE(GatedLinear);

}  // namespace domainfusion
