#pragma once
// How well a run fits what it trains on: training accuracy and loss of its last epoch, counted in passing.

#include <cstdint>
#include <deque>
#include <optional>

#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/training/records/run_records.h"

namespace domainfusion {

// The counts of the last epoch: of the last `steps_per_epoch` optimizer steps done, or of all where there are fewer.
// A step counts the source domains' IN images of its batch, augmented, each as often as it was drawn, by the logits
// that the step was taken with: of the network in train mode, before the step. Images that were made are not counted.
class LastEpochFit {
 public:
  explicit LastEpochFit(std::int64_t steps_per_epoch) : steps_per_epoch_(steps_per_epoch) {}

  // Steps in order.
  void add(const FitCounts& step);
  // After `steps_done` steps. Nothing where an older version took some of the last epoch's steps and counted none, or
  // no image was counted.
  std::optional<FitRecord> record(std::int64_t steps_done) const;

  // For the checkpoint: float64 [steps, 3] under "last_epoch".
  TensorMap save() const;
  // What save() wrote; an empty map, as older checkpoints have it: no counts. FormatError for another shape.
  void load(const TensorMap& tensors);

 private:
  std::int64_t steps_per_epoch_;
  std::deque<FitCounts> steps_;
};

}  // namespace domainfusion
