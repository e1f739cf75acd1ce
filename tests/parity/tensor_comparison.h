#pragma once
// Compares tensors with reference numbers.

#include <ATen/core/Tensor.h>

#include <string>

namespace domainfusion {

struct Tolerance {
  double relative = 0;  // of each reference value
  double of_rms = 0;    // of the root mean square of the reference
  double absolute = 0;
};

// gtest expectation: same shape, all finite, |actual - expected| <= relative |expected| + of_rms rms(expected) +
// absolute. Prints the largest deviation as a share of rms(expected).
void expect_close(const at::Tensor& actual, const at::Tensor& expected, Tolerance tolerance, const std::string& what);

}  // namespace domainfusion
