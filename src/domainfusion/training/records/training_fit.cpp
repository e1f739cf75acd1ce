#include "domainfusion/training/records/training_fit.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"

namespace domainfusion {

void LastEpochFit::add(const FitCounts& step) {
  steps_.push_back(step);
  if (static_cast<std::int64_t>(steps_.size()) > steps_per_epoch_) steps_.pop_front();
}

std::optional<FitRecord> LastEpochFit::record(std::int64_t steps_done) const {
  if (static_cast<std::int64_t>(steps_.size()) < std::min(steps_per_epoch_, steps_done)) return std::nullopt;
  FitCounts sum;
  for (const FitCounts& step : steps_) sum += step;
  if (sum.images == 0) return std::nullopt;
  const auto images = static_cast<double>(sum.images);
  return FitRecord{steps_done, static_cast<double>(sum.correct) / images, sum.loss / images, sum.images};
}

TensorMap LastEpochFit::save() const {
  std::vector<double> rows;
  for (const FitCounts& step : steps_)
    rows.insert(rows.end(), {static_cast<double>(step.images), static_cast<double>(step.correct), step.loss});
  return {{"last_epoch", torch::tensor(rows, torch::kFloat64).view({-1, 3})}};
}

void LastEpochFit::load(const TensorMap& tensors) {
  steps_.clear();
  const auto found = tensors.find("last_epoch");
  if (found == tensors.end()) return;
  const at::Tensor rows = found->second.contiguous();
  check<FormatError>(rows.scalar_type() == torch::kFloat64 && rows.dim() == 2 && rows.size(1) == 3,
                     "the counts of training accuracy are no table of 3 columns of float64");
  const auto* value = rows.data_ptr<double>();
  for (std::int64_t step = 0; step < rows.size(0); ++step, value += 3)
    add({static_cast<std::int64_t>(value[0]), static_cast<std::int64_t>(value[1]), value[2]});
}

}  // namespace domainfusion
