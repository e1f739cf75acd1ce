#include "domainfusion/core/random/beta_draw.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

struct Moments {
  double mean = 0, variance = 0, near_the_ends = 0;  // below 0.01 or above 0.99
};

Moments moments_of(double alpha, double beta) {
  constexpr int kDraws = 40000;
  RandomStream stream(3, "beta");
  double sum = 0, squares = 0, ends = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw_beta(stream, alpha, beta);
    EXPECT_GE(x, 0);
    EXPECT_LE(x, 1);
    sum += x;
    squares += x * x;
    ends += x < 0.01 || x > 0.99 ? 1 : 0;
  }
  const double mean = sum / kDraws;
  return {mean, squares / kDraws - mean * mean, ends / kDraws};
}

}  // namespace

TEST(BetaDraw, MeanAndVarianceAreThoseOfTheDistribution) {
  for (const auto& [a, b] : {std::pair{0.1, 0.1}, {0.7, 2.0}, {1.0, 1.0}, {2.0, 5.0}, {40.0, 40.0}}) {
    const Moments moments = moments_of(a, b);
    EXPECT_NEAR(moments.mean, a / (a + b), 0.01) << a << " " << b;
    EXPECT_NEAR(moments.variance, a * b / ((a + b) * (a + b) * (a + b + 1)), 0.005) << a << " " << b;
  }
}

TEST(BetaDraw, SmallParametersDrawNearTheEndsAsOftenAsTheyShould) {
  EXPECT_NEAR(moments_of(0.1, 0.1).near_the_ends, 0.6406, 0.01);  // 2 I_0.01(0.1, 0.1)
  EXPECT_GT(moments_of(0.001, 0.001).near_the_ends, 0.98);
  EXPECT_NEAR(moments_of(0.001, 0.001).mean, 0.5, 0.02);
}

TEST(BetaDraw, ParametersThatAreNotPositiveAreConfigErrors) {
  RandomStream stream(3, "beta");
  EXPECT_THROW(draw_beta(stream, 0, 1), ConfigError);
  EXPECT_THROW(draw_beta(stream, 1, -2), ConfigError);
}

}  // namespace domainfusion
