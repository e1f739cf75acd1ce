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
  if (!packed_.is_of(weight_)) {
    packed_.matrix = std::make_shared<PackedMatrix>(to_matrix_NSC(weight_));
    // One number that all elements share keeps the shape without the memory.
    if (release_) weight_.set_data(at::zeros({}, weight_.options()).expand(weight_.sizes()));
    released_ = release_;
    packed_.remember(weight_);
  }
  return packed_.matrix;
}

std::shared_ptr<const PackedMatrix> PackedLayer::transformed_weight() {
  const std::lock_guard lock(mutex_);
  if (!transformed_.is_of(weight_)) {
    restore();
    transformed_.matrix = std::make_shared<PackedMatrix>(to_transformed_matrix_NSC(weight_));
    transformed_.remember(weight_);
  }
  return transformed_.matrix;
}

const at::Tensor& PackedLayer::plain_weight() {
  const std::lock_guard lock(mutex_);
  restore();
  return weight_;
}

void PackedLayer::restore() {
  if (!released_) return;
  weight_.set_data(from_matrix(packed_.matrix->unpacked_NSC()));
  packed_.remember(weight_);
  release_ = released_ = false;
}

void release_plain_weights(torch::nn::Module& module) {
  for (const auto& part : module.modules()) {
    if (auto* layer = dynamic_cast<PackedLayer*>(part.get())) layer->release_plain_weight();
  }
}

}  // namespace domainfusion
