#pragma once
// What an algorithm draws in a step.

#include <ATen/core/Tensor.h>

#include <vector>

#include "domainfusion/core/random/random.h"

namespace domainfusion {

// Draws in the order of the calls, from the stream (seed, algorithm, step).
class StepDraws {
 public:
  explicit StepDraws(RandomStream stream) : stream_(std::move(stream)) {}
  virtual ~StepDraws() = default;

  // int64 [n], a permutation of 0 … n-1.
  virtual at::Tensor permutation(std::int64_t n);
  // 0 … n-1.
  virtual std::int64_t below(std::int64_t n);
  // Beta(alpha, alpha).
  virtual double beta(double alpha);
  // float32 of [0, 1), and of N(0, 1).
  virtual at::Tensor uniform(at::IntArrayRef sizes);
  virtual at::Tensor normal(at::IntArrayRef sizes);

 private:
  RandomStream stream_;
};

}  // namespace domainfusion
