#pragma once
// Do generated values make an image? Half precision overflows now and then; what it spoils is made again in float32.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace domainfusion {

constexpr double kConstantPixels = 1.0 / 255;  // a range of pixels that 8 bits hardly show
constexpr double kConstantLatents = 1e-6;

constexpr const char* kNotFinite = "not finite";

// Why `values`, of one image or one image's latents, cannot be used: kNotFinite, "black" (all values within `range` of
// 0), "constant" (the largest and the smallest differ by no more than `range`); empty if they can.
std::string failure_of(const at::Tensor& values, double range);

inline bool is_failed(const at::Tensor& values, double range) { return !failure_of(values, range).empty(); }

struct CheckedValues {
  at::Tensor values_N;                // as given, rows that were made again replaced
  std::vector<std::string> failures;  // failure_of each row as it is now
  std::int64_t retried = 0;           // rows that were made again in float32
};

// Checks each row; if `computed_in` is not float32, remake(indices) makes the failed ones again (a tensor of as many
// rows), in float32. In float32 nothing is tried twice: the same numbers would come out.
CheckedValues check_and_retry(at::Tensor values_N, double range, at::ScalarType computed_in,
                              const std::function<at::Tensor(const std::vector<std::int64_t>& indices)>& remake);

}  // namespace domainfusion
