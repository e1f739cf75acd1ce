#include "domainfusion/diffusion/generation/image_checks.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <limits>

namespace domainfusion {
namespace {

at::Tensor picture() {
  torch::manual_seed(1);
  return torch::rand({3, 4, 4});
}

at::Tensor with_one_nan() {
  at::Tensor image = picture();
  image[0][1][2] = std::numeric_limits<float>::quiet_NaN();
  return image;
}

// Rows: good, not finite, black.
at::Tensor spoilt_batch() { return torch::stack({picture(), with_one_nan(), torch::zeros({3, 4, 4})}); }

}  // namespace

TEST(ImageChecks, NotFiniteBlackAndConstantImagesAreNamed) {
  EXPECT_EQ(failure_of(picture(), kConstantPixels), "");
  EXPECT_EQ(failure_of(with_one_nan(), kConstantPixels), kNotFinite);
  EXPECT_EQ(failure_of(picture() / 0.0, kConstantPixels), kNotFinite);
  EXPECT_EQ(failure_of(torch::full({3, 4, 4}, 0.5), kConstantPixels), "constant");
  EXPECT_EQ(failure_of(torch::full({3, 4, 4}, 0.5) + 0.003 * picture(), kConstantPixels), "constant");
  EXPECT_EQ(failure_of(0.003 * picture(), kConstantPixels), "black");
  EXPECT_EQ(failure_of(0.003 * picture(), kConstantLatents), "");
}

TEST(ImageChecks, FailedRowsOfAHalfPrecisionBatchAreMadeAgainInFloat32) {
  std::vector<std::int64_t> asked;
  const CheckedValues checked = check_and_retry(spoilt_batch(), kConstantPixels, at::kHalf, [&](const auto& indices) {
    asked = indices;
    return torch::stack({picture(), torch::zeros({3, 4, 4})});  // the second fails again
  });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(checked.retried, 2);
  EXPECT_EQ(checked.failures, (std::vector<std::string>{"", "", "black"}));
  EXPECT_TRUE(checked.values_N[1].equal(picture()));
}

TEST(ImageChecks, NothingIsTriedTwiceInFloat32NorWithoutAFailure) {
  const auto never = [](const std::vector<std::int64_t>&) -> at::Tensor { throw std::logic_error("was asked"); };
  const CheckedValues checked = check_and_retry(spoilt_batch(), kConstantPixels, at::kFloat, never);
  EXPECT_EQ(checked.failures, (std::vector<std::string>{"", kNotFinite, "black"}));
  EXPECT_EQ(checked.retried, 0);
  EXPECT_EQ(check_and_retry(picture().unsqueeze(0), kConstantPixels, at::kHalf, never).retried, 0);
}

}  // namespace domainfusion
