#pragma once
// What layers with a weight matrix share: the weight as libtorch knows it, and the same re-packed for the kernels.

#include <torch/nn/module.h>

#include <memory>
#include <mutex>

#include "domainfusion/nn/packed_product.h"

namespace domainfusion {

// State-dict names: weight, bias [outputs]; not initialised.
class PackedLayer : public torch::nn::Module {
 public:
  // From now on the plain weight's memory is given back once the weight is packed. Should a gradient need it again, it is restored
  // and kept: to the bit, or, where the packed form is a transformed one, to rounding.
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
  // Another matrix that computes the same with fewer operations, where a layer has one.
  virtual at::Tensor to_transformed_matrix_NSC(const at::Tensor& weight) const { return to_matrix_NSC(weight); }
  virtual at::Tensor from_transformed_matrix(const at::Tensor& matrix_NSC) const { return from_matrix(matrix_NSC); }

  std::shared_ptr<const PackedMatrix> transformed_weight();  // like packed_weight()
  const at::Tensor& plain_weight();                          // thread-safe

  at::Tensor weight_, bias_;

 private:
  // A matrix and the state of the weight that it was made from.
  struct Packed {
    std::shared_ptr<const PackedMatrix> matrix;
    const void* data = nullptr;
    std::int64_t version = -1;
    bool is_of(const at::Tensor& weight) const;
    void remember(const at::Tensor& weight);
  };
  void pack(Packed& form, at::Tensor (PackedLayer::*to_matrix)(const at::Tensor&) const);
  void restore();

  std::mutex mutex_;
  Packed packed_, transformed_;
  bool release_ = false;
  const Packed* holds_weight_ = nullptr;  // the form that alone has the weight once it is released
};

// release_plain_weight() for all layers of a frozen module.
void release_plain_weights(torch::nn::Module& module);

}  // namespace domainfusion
