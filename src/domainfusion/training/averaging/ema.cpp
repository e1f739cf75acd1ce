#include "domainfusion/training/averaging/ema.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/nn/state_dict.h"

namespace domainfusion {

double Ema::decay_now() const {
  if (!warmup_) return decay_;
  const auto updates = static_cast<double>(steps_);
  return std::min(decay_, (1 + updates) / (10 + updates));
}

void Ema::after_step(std::int64_t step, const torch::nn::Module& model) {
  torch::NoGradGuard no_grad;
  const double decay = decay_now();
  for (const auto& [name, weight] : state_dict_of(model)) {
    at::Tensor& average = average_[name];
    if (steps_ == 0 || !weight.is_floating_point()) {
      average = weight.clone();
    } else {
      if (average.device() != weight.device()) average = average.to(weight.device());  // it came from a checkpoint
      average.lerp_(weight, 1 - decay);
    }
  }
  steps_ = step + 1;
}

AveragedWeights Ema::average() const {
  check<Error>(steps_ > 0, "the moving average exists from the first step on");
  return {
      average_, true, {{"decay", decay_}, {"n_averaged", steps_}, {"start_step", 0}, {"end_step", steps_ - 1}}, steps_};
}

void Ema::save(TensorMap& tensors, nlohmann::json& state) const {
  tensors = average_;
  state = {{"steps", steps_}};
}

void Ema::load(const TensorMap& tensors, const nlohmann::json& state) {
  check<FormatError>(state.is_object() && state.contains("steps") && state["steps"].is_number_integer(),
                     "state of EMA has no number of steps; the checkpoint is of another run, or damaged");
  steps_ = state["steps"];
  average_ = tensors;
}

}  // namespace domainfusion
