#include "domainfusion/nn/packed_layer.h"

#include <torch/torch.h>

#include "domainfusion/nn/inference.h"

namespace domainfusion {

PackedLayer::PackedLayer(at::IntArrayRef weight_shape, std::int64_t outputs, bool bias)
    : weight_(register_parameter("weight", torch::empty(weight_shape))) {
  if (bias) bias_ = register_parameter("bias", torch::empty({outputs}));
}

void PackedLayer::release_plain_weight() {
  const std::lock_guard lock(mutex_);
  release_ = true;
}

bool PackedLayer::computes_packed(const at::Tensor& input) const { return uses_kernels(input, weight_); }

bool PackedLayer::Packed::is_of(const at::Tensor& weight) const {
  return matrix && data == weight.data_ptr() && version == static_cast<std::int64_t>(weight._version());
}

void PackedLayer::Packed::remember(const at::Tensor& weight) {
  data = weight.data_ptr();
  version = static_cast<std::int64_t>(weight._version());
}

std::shared_ptr<const PackedMatrix> PackedLayer::packed_weight() {
  const std::lock_guard lock(mutex_);
  if (!packed_.is_of(weight_)) pack(packed_, &PackedLayer::to_matrix_NSC);
  return packed_.matrix;
}

std::shared_ptr<const PackedMatrix> PackedLayer::transformed_weight() {
  const std::lock_guard lock(mutex_);
  if (!transformed_.is_of(weight_)) pack(transformed_, &PackedLayer::to_transformed_matrix_NSC);
  return transformed_.matrix;
}

void PackedLayer::pack(Packed& form, at::Tensor (PackedLayer::*to_matrix)(const at::Tensor&) const) {
  restore();
  form.matrix = std::make_shared<PackedMatrix>((this->*to_matrix)(weight_));
  if (release_) {
    // One number that all elements share keeps the shape without the memory.
    weight_.set_data(at::zeros({}, weight_.options()).expand(weight_.sizes()));
    holds_weight_ = &form;
  }
  form.remember(weight_);
}

const at::Tensor& PackedLayer::plain_weight() {
  const std::lock_guard lock(mutex_);
  restore();
  return weight_;
}

void PackedLayer::restore() {
  if (!holds_weight_) return;
  const at::Tensor matrix_NSC = holds_weight_->matrix->unpacked_NSC();
  weight_.set_data(holds_weight_ == &packed_ ? from_matrix(matrix_NSC) : from_transformed_matrix(matrix_NSC));
  (holds_weight_ == &packed_ ? packed_ : transformed_).remember(weight_);
  holds_weight_ = nullptr;
  release_ = false;
}

void release_plain_weights(torch::nn::Module& module) {
  for (const auto& part : module.modules()) {
    if (auto* layer = dynamic_cast<PackedLayer*>(part.get())) layer->release_plain_weight();
  }
}

}  // namespace domainfusion
