#pragma once
// Finds the folders of reference numbers and compares tensors with them.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

// All folders that hold `file` (a relative path): in tests/parity, and below the folder that the environment variable
// DOMAINFUSION_REFERENCE_DIR names (searched in depth). Sorted by path.
std::vector<std::filesystem::path> reference_cases(const std::string& file);

// "left out: <folder>: <reason>" on stdout.
void print_left_out(const std::filesystem::path& folder, const std::string& reason);

struct Tolerance {
  double relative = 0;  // of each reference value
  double of_rms = 0;    // of the root mean square of the reference
  double absolute = 0;
};

// gtest expectation: same shape, all finite, |actual - expected| <= relative |expected| + of_rms rms(expected) + absolute.
// Prints the largest deviation as a share of rms(expected).
void expect_close(const at::Tensor& actual, const at::Tensor& expected, Tolerance tolerance, const std::string& what);

}  // namespace domainfusion
