#include "domainfusion/training/optimizers/sgd.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace domainfusion {

Sgd::Sgd(std::vector<at::Tensor> parameters, SgdOptions options)
    : Optimizer(std::move(parameters), options.lr), options_(options) {
  if (options_.momentum > 0) momentum_ = zero_buffers();
}

void Sgd::step() {
  at::NoGradGuard no_grad;
  ++steps_;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor gradient = parameters_[i].grad();
    if (!gradient.defined()) continue;
    ++counts_[i];
    if (options_.weight_decay > 0) gradient = gradient.add(parameters_[i], options_.weight_decay);
    if (!momentum_.empty()) {
      momentum_[i].mul_(options_.momentum).add_(gradient);
      gradient = options_.nesterov ? gradient.add(momentum_[i], options_.momentum) : momentum_[i];
    }
    parameters_[i].add_(gradient, -lr_of(i));
  }
}

TensorMap Sgd::buffers() const {
  TensorMap state;
  name_buffers(state, "momentum_buffer", momentum_);
  return state;
}

}  // namespace domainfusion
