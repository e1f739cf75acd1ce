#include "domainfusion/training/optimizers/optimizer.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "domainfusion/core/error.h"

namespace domainfusion {

void Optimizer::zero_grad() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
}

double Optimizer::clip_grad_norm(double max_norm) {
  constexpr double kEps = 1e-6;  // as in PyTorch's clip_grad_norm_
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (gradients.empty()) return 0;
  const at::NoGradGuard no_grad;
  const double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (const double factor = max_norm / (norm + kEps); factor < 1) at::_foreach_mul_(gradients, factor);
  return norm;
}

void Optimizer::reset() {
  const at::NoGradGuard no_grad;
  for (const auto& [name, buffer] : buffers()) buffer.zero_();
  steps_ = 0;
  std::fill(counts_.begin(), counts_.end(), 0);
}

void Optimizer::scale_lr(const std::vector<at::Tensor>& parameters, double multiplier) {
  for (const at::Tensor& parameter : parameters) {
    const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                    [&](const at::Tensor& own) { return own.is_same(parameter); });
    check<ConfigError>(found != parameters_.end(),
                       "a parameter of shape {} whose learning rate is to be scaled is not optimized",
                       fmt::join(parameter.sizes(), " x "));
    lr_multipliers_[static_cast<std::size_t>(found - parameters_.begin())] = multiplier;
  }
}

std::vector<at::Tensor> Optimizer::zero_buffers() const {
  std::vector<at::Tensor> zeros;
  for (const at::Tensor& parameter : parameters_) {
    zeros.push_back(at::zeros_like(parameter, at::MemoryFormat::Contiguous));
  }
  return zeros;
}

void Optimizer::name_buffers(TensorMap& state, const std::string& name, const std::vector<at::Tensor>& buffers) {
  for (std::size_t i = 0; i < buffers.size(); ++i) state[fmt::format("{}.{}", name, i)] = buffers[i];
}

TensorMap Optimizer::state() const {
  TensorMap state = buffers();
  state["steps"] = at::tensor({steps_}, at::kLong);
  state["counts"] = at::tensor(counts_, at::kLong);
  return state;
}

void Optimizer::load_state(const TensorMap& state) {
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    if (name == "counts" && found == state.end()) continue;
    check<FormatError>(found != state.end(), "optimizer state has no tensor '{}': the checkpoint is incomplete", name);
    check<ShapeError>(found->second.sizes() == tensor.sizes(),
                      "optimizer state '{}' has another shape than its parameter: it belongs to another network", name);
    tensor.copy_(found->second);
  }
  steps_ = state.at("steps").item<int64_t>();
  std::fill(counts_.begin(), counts_.end(), steps_);
  if (const auto counts = state.find("counts"); counts != state.end()) {
    const auto* count = counts->second.contiguous().data_ptr<int64_t>();
    counts_.assign(count, count + counts->second.numel());
  }
}

}  // namespace domainfusion
