#include "domainfusion/training/algorithm.h"

#include <torch/torch.h>

#include <cmath>

namespace domainfusion {

at::Tensor classification_loss(const at::Tensor& logits_NK, const at::Tensor& label_N) {
  return torch::nn::functional::cross_entropy(logits_NK, label_N);
}

at::Tensor Algorithm::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  return classification_loss(context_->classifier->forward(raw.image_NCHW), raw.label_N);
}

StepRecord Algorithm::update(std::int64_t step, const Batch& raw) {
  StepRecord record{step, {}};
  context_->optimizer->zero_grad();
  const at::Tensor total = loss(step, raw, record);
  const auto value = total.item<double>();
  check(std::isfinite(value),
        "the loss at step {} is {}: training has diverged; the last checkpoint is kept. Lower optimizer.lr (now {}) and start "
        "again, or --resume from the checkpoint",
        step, value, context_->optimizer->lr());
  record.scalars["loss"] = value;
  total.backward();
  context_->optimizer->step();
  return record;
}

}  // namespace domainfusion
