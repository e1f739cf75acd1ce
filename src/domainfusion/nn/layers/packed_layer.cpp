#include "domainfusion/nn/layers/packed_layer.h"

#include <torch/nn/module.h>
#include <torch/types.h>

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

bool PackedLayer::computes_packed(const at::Tensor& input) const { return uses_kernels({input, bias_}, weight_); }

bool PackedLayer::is_packed() const {
  return packed_ && packed_data_ == weight_.data_ptr() &&
         packed_version_ == static_cast<std::int64_t>(weight_._version());
}

void PackedLayer::remember_weight() {
  packed_data_ = weight_.data_ptr();
  packed_version_ = static_cast<std::int64_t>(weight_._version());
}

std::shared_ptr<const PackedMatrix> PackedLayer::packed_weight() {
  const std::lock_guard lock(mutex_);
  if (!is_packed()) {
    packed_ = std::make_shared<PackedMatrix>(to_matrix_NSC(weight_));
    // One number that all elements share keeps the shape without the memory.
    if (release_) weight_.set_data(at::zeros({}, weight_.options()).expand(weight_.sizes()));
    released_ = release_;
    remember_weight();
  }
  return packed_;
}

at::Tensor PackedLayer::plain_weight() {
  const std::lock_guard lock(mutex_);
  if (released_) {
    weight_.set_data(from_matrix(packed_->unpacked_NSC()));
    remember_weight();
  }
  // A graph may hold the weight from now on.
  release_ = released_ = false;
  return weight_;
}

void release_plain_weights(torch::nn::Module& module) {
  for (const auto& part : module.modules()) {
    if (auto* layer = dynamic_cast<PackedLayer*>(part.get())) layer->release_plain_weight();
  }
}

}  // namespace domainfusion
