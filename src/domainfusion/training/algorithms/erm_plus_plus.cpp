#include "domainfusion/training/algorithms/erm_plus_plus.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/averaging/batch_norm_statistics.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kAverageFrom = 600;  // updates
constexpr const char* kAveragedPrefix = "network_sma.";

}  // namespace

void ErmPlusPlus::options(ConfigFields& fields) {
  fields.real("linear_lr", linear_lr_, {0, 1e30}, "optimizer.lr while the head alone is trained");
  fields.integer("linear_steps", linear_steps_, {0, INT64_C(1) << 40}, "the last step, from 0, of the head alone");
}

void ErmPlusPlus::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  for (const auto& [name, tensor] : state_dict_of(*context.classifier)) averaged_[name] = tensor.clone();
}

void ErmPlusPlus::before_step(std::int64_t step) {
  Optimizer& optimizer = *context().optimizer;
  if (trains_head_alone(step)) optimizer.set_lr(scheduled(linear_lr_, step));
  if (step == linear_steps_ + 1) optimizer.reset();
}

at::Tensor ErmPlusPlus::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  at::Tensor feature_NF;
  {
    const torch::AutoGradMode gradients(!trains_head_alone(step));
    feature_NF = features(raw.image_NCHW);
  }
  return raw_loss(classify(feature_NF), raw, record);
}

StepRecord ErmPlusPlus::update(std::int64_t step, const Batch& raw) {
  StepRecord record = Algorithm::update(step, raw);
  average_weights(step);
  if (takes_batch_statistics(*context().classifier)) {
    swap_weights();
    const torch::NoGradGuard no_grad;
    features(raw.image_NCHW);
    swap_weights();
  }
  return record;
}

// After update u = step + 1 >= 600 the mean has weight u - 599 and the new weights 1, as in the released code, whose
// mean begins as the weights after update 599.
void ErmPlusPlus::average_weights(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const std::int64_t update = step + 1, count = update - kAverageFrom + 1;
  for (const auto& [name, now] : state_dict_of(*context().classifier)) {
    at::Tensor& mean = averaged_.at(name);
    if (count > 0 && now.is_floating_point()) {
      mean.mul_(static_cast<double>(count)).add_(now).div_(1.0 + static_cast<double>(count));
    } else if (now.is_floating_point()) {
      mean.copy_(now);
    }
  }
}

void ErmPlusPlus::swap_weights() {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, own] : state_dict_of(*context().classifier)) {
    const at::Tensor kept = own.clone();
    own.copy_(averaged_.at(name));
    averaged_.at(name).copy_(kept);
  }
}

void ErmPlusPlus::save(TensorMap& tensors, nlohmann::json&) const {
  for (const auto& [name, tensor] : averaged_) tensors[kAveragedPrefix + name] = tensor;
}

void ErmPlusPlus::load(const TensorMap& tensors, const nlohmann::json&) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, own] : averaged_) {
    const auto found = tensors.find(kAveragedPrefix + name);
    check<FormatError>(found != tensors.end(), "the checkpoint has no mean of the weight '{}'", name);
    own.copy_(found->second);
  }
}

}  // namespace domainfusion
