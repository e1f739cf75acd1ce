#pragma once
// What layers with a weight matrix share: the weight as libtorch knows it, and the same re-packed for the kernels.

#include <torch/nn/module.h>

#include <memory>
#include <mutex>

#include "domainfusion/nn/kernels/packed_product.h"

namespace domainfusion {

// State-dict names: weight, bias [outputs]; not initialised.
class PackedLayer : public torch::nn::Module {
 public:
  // From now on the plain weight's memory is given back once the weight is packed. Should a gradient need it again, it
  // is restored (to rounding, where the packed form is a transformed one) and kept.
  void release_plain_weight();

  // Whether the kernels compute for `input`, without gradient.
  bool computes_packed(const at::Tensor& input) const;
  // Of a frozen weight; packed when first asked for, and again when the weight has changed. Thread-safe.
  std::shared_ptr<const PackedMatrix> packed_weight();

 protected:
  PackedLayer(at::IntArrayRef weight_shape, std::int64_t outputs, bool bias);

  // The weight as a matrix (see PackedMatrix), and back.
  virtual at::Tensor to_matrix_NSC(const at::Tensor& weight) const = 0;
  virtual at::Tensor from_matrix(const at::Tensor& matrix_NSC) const = 0;

  // The weight for libtorch's operations; thread-safe.
  at::Tensor plain_weight();

  at::Tensor weight_, bias_;

 private:
  bool is_packed() const;
  void remember_weight();

  std::mutex mutex_;
  std::shared_ptr<const PackedMatrix> packed_;
  const void* packed_data_ = nullptr;  // of the weight that packed_ was made from
  std::int64_t packed_version_ = -1;
  bool release_ = false, released_ = false;
};

// release_plain_weight() for all layers of a frozen module.
void release_plain_weights(torch::nn::Module& module);

}  // namespace domainfusion
