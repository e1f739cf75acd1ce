#include "domainfusion/nn/weights_scope.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace domainfusion {

WeightsScope::WeightsScope(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const at::Tensor& parameter : module.parameters()) remembered_.emplace_back(parameter, parameter.clone());
  parameters_ = remembered_.size();
  for (const at::Tensor& buffer : module.buffers()) remembered_.emplace_back(buffer, buffer.clone());
}

void WeightsScope::restore() {
  const torch::NoGradGuard no_grad;
  for (const auto& [own, copy] : remembered_) own.copy_(copy);
}

void WeightsScope::move_by(double share) {
  const torch::NoGradGuard no_grad;
  for (const auto& [own, copy] : remembered_) {
    if (own.is_floating_point()) {
      copy.add_(own - copy, share);
    } else {
      copy.copy_(own);
    }
  }
}

}  // namespace domainfusion
