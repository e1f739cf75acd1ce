#pragma once
// The plain mean of models' weights, taken one model at a time.

#include <cstdint>

#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

// mean <- mean + (w - mean) / (count + 1), in the weights' own dtype: the arithmetic of
// torch.optim.swa_utils.AveragedModel, to the bit.
class RunningAverage {
 public:
  RunningAverage() = default;
  // Holds `mean` (not copied) as the mean of `count` models. With 0 the first add() replaces it.
  RunningAverage(TensorMap mean, std::int64_t count) : mean_(std::move(mean)), count_(count) {}

  // Copies what it needs of `weights`; all calls bring the same names and shapes, on the same device.
  void add(const TensorMap& weights);

  std::int64_t count() const { return count_; }
  // Aliases the average's own memory; empty before anything is known.
  const TensorMap& mean() const { return mean_; }
  RunningAverage copy() const;

 private:
  TensorMap mean_;
  std::int64_t count_ = 0;
};

}  // namespace domainfusion
