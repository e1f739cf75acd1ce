#include "parity/tensor_comparison.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdio>

namespace domainfusion {

void expect_close(const at::Tensor& actual, const at::Tensor& expected, Tolerance tolerance, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const at::Tensor a = actual.detach().to(at::kCPU, at::kDouble), e = expected.to(at::kCPU, at::kDouble);
  EXPECT_TRUE(at::isfinite(a).all().item<bool>()) << what;
  const double rms = e.square().mean().sqrt().item<double>();
  const at::Tensor deviation = (a - e).abs();
  const at::Tensor bound = tolerance.relative * e.abs() + tolerance.of_rms * rms + tolerance.absolute;
  const double worst = deviation.max().item<double>();
  EXPECT_TRUE((deviation <= bound).all().item<bool>())
      << what << ": largest deviation " << worst << " = " << worst / rms << " rms";
  std::printf("  %-70s max |d| = %.1e rms\n", what.c_str(), worst / rms);
}

}  // namespace domainfusion
