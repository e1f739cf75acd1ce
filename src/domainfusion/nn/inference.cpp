#include "domainfusion/nn/inference.h"

#include <torch/types.h>

#include <algorithm>
#include <atomic>

namespace domainfusion {
namespace {

std::atomic<int> plain_operations{0};

bool is_plain_float(const at::Tensor& x) { return x.scalar_type() == at::kFloat && x.device().is_cpu(); }

bool takes_gradient(const at::Tensor& x) { return at::GradMode::is_enabled() && x.requires_grad(); }

// A weight that is being trained changes with every step: packing it would cost more than it saves.
bool is_trained(const at::Tensor& weight) { return weight.defined() && weight.requires_grad(); }

}  // namespace

bool uses_kernels(at::TensorList inputs, const at::Tensor& weight) {
  if (PlainOperations::active() || is_trained(weight) || (weight.defined() && !is_plain_float(weight))) return false;
  return std::all_of(inputs.begin(), inputs.end(),
                     [](const at::Tensor& x) { return !x.defined() || (is_plain_float(x) && !takes_gradient(x)); });
}

bool runs_on_kernels(const at::Tensor& input) { return !PlainOperations::active() && is_plain_float(input); }

bool needs_float32_sums(const at::Tensor& input) {
  return input.is_cpu() && (input.scalar_type() == at::kBFloat16 || input.scalar_type() == at::kHalf);
}

PlainOperations::PlainOperations() { ++plain_operations; }
PlainOperations::~PlainOperations() { --plain_operations; }
bool PlainOperations::active() { return plain_operations > 0; }

at::Tensor pixels_NhwC(const at::Tensor& maps_NChw) { return maps_NChw.permute({0, 2, 3, 1}).contiguous(); }

}  // namespace domainfusion
