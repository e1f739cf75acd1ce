#include "domainfusion/training/averaging/running_average.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace domainfusion {
namespace {

TensorMap cloned(const TensorMap& weights) {
  TensorMap copy;
  for (const auto& [name, tensor] : weights) copy[name] = tensor.detach().clone();
  return copy;
}

}  // namespace

void RunningAverage::add(const TensorMap& weights) {
  torch::NoGradGuard no_grad;
  if (count_ == 0) {
    mean_ = cloned(weights);
  } else {
    for (auto& [name, mean] : mean_) {
      const at::Tensor weight = weights.at(name).detach();
      if (mean.device() != weight.device()) mean = mean.to(weight.device());  // it came from a checkpoint
      mean.add_((weight - mean).div_(count_ + 1));
    }
  }
  ++count_;
}

RunningAverage RunningAverage::copy() const { return {cloned(mean_), count_}; }

}  // namespace domainfusion
