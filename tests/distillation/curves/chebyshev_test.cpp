#include "domainfusion/distillation/curves/chebyshev.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <functional>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

using Function = std::function<double(double)>;

// Node values [N = 1, K, 1] of `f`.
at::Tensor nodes_of(const Function& f, std::int64_t count) {
  const auto points = chebyshev_points(count);
  at::Tensor nodes = torch::empty({1, count, 1}, torch::kFloat64);
  for (std::int64_t j = 0; j < count; ++j) nodes[0][j][0] = f(points[j]);
  return nodes;
}

// Largest errors of value and derivative over a grid of p.
std::pair<double, double> worst_errors(const Function& f, const Function& df, std::int64_t count) {
  std::pair<double, double> worst{0, 0};
  for (double p : {0.0, 0.003, 0.02, 0.1, 0.25, 0.5, 0.7, 0.93, 0.999, 1.0}) {
    const auto [value, derivative] = interpolate(nodes_of(f, count), torch::tensor({p}, torch::kFloat64));
    worst.first = std::max(worst.first, std::abs(value.item<double>() - f(p)));
    worst.second = std::max(worst.second, std::abs(derivative.item<double>() - df(p)));
  }
  return worst;
}

}  // namespace

TEST(Chebyshev, PointsIncludeBothEndsAscendAndAreNested) {
  for (std::int64_t count : {5, 9, 17}) {
    const auto coarse = chebyshev_points(count), fine = chebyshev_points(2 * count - 1);
    EXPECT_EQ(coarse.front(), 0);
    EXPECT_EQ(coarse.back(), 1);
    EXPECT_NEAR(coarse[(count - 1) / 2], 0.5, 1e-15);
    for (std::int64_t j = 0; j < count; ++j) EXPECT_NEAR(coarse[j], fine[2 * j], 1e-15);
    EXPECT_TRUE(std::is_sorted(fine.begin(), fine.end()));
  }
  EXPECT_THROW(chebyshev_points(1), ConfigError);
}

TEST(Chebyshev, PolynomialsBelowDegreeKAreExactWithTheirDerivatives) {
  const Function f = [](double p) { return 3 - p + 2 * p * p * p - 7 * std::pow(p, 4); };
  const Function df = [](double p) { return -1 + 6 * p * p - 28 * p * p * p; };
  for (std::int64_t count : kNestedPointCounts) {
    const auto [value, derivative] = worst_errors(f, df, count);
    EXPECT_LT(value, 1e-13) << count;
    EXPECT_LT(derivative, 1e-10) << count;
  }
}

TEST(Chebyshev, SmoothFunctionsConvergeGeometrically) {
  const Function f = [](double p) { return std::sin(3 * p) / (p + 0.3); };
  const Function df = [](double p) {
    return 3 * std::cos(3 * p) / (p + 0.3) - std::sin(3 * p) / ((p + 0.3) * (p + 0.3));
  };
  const auto five = worst_errors(f, df, 5), nine = worst_errors(f, df, 9), seventeen = worst_errors(f, df, 17);
  EXPECT_LT(nine.second, five.second / 20);
  EXPECT_LT(seventeen.second, nine.second / 400);
  EXPECT_LT(seventeen.first, 1e-6);
}

TEST(Chebyshev, RowsOfTheDifferentiationMatrixSumToZero) {
  for (std::int64_t count : kNestedPointCounts) {
    EXPECT_LT(differentiation_matrix(count).sum(1).abs().max().item<double>(), 1e-9) << count;
  }
}

TEST(Chebyshev, ABatchGivesEachImageItsOwnNodesAndPoint) {
  torch::manual_seed(3);
  const at::Tensor nodes = torch::randn({4, 9, 2, 3, 3});
  const at::Tensor p = torch::tensor({0.0, 0.31, 1.0, 0.87});
  const auto batch = interpolate(nodes, p);
  EXPECT_EQ(batch.value_NChw.sizes(), (at::IntArrayRef{4, 2, 3, 3}));
  EXPECT_EQ(batch.value_NChw.scalar_type(), torch::kFloat32);
  for (int i = 0; i < 4; ++i) {
    const auto one = interpolate(nodes.narrow(0, i, 1), p.narrow(0, i, 1));
    EXPECT_TRUE(torch::allclose(batch.value_NChw[i], one.value_NChw[0], 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(batch.derivative_NChw[i], one.derivative_NChw[0], 1e-4, 1e-4));
  }
  EXPECT_TRUE(torch::equal(batch.value_NChw[0], nodes[0][0]));
  EXPECT_TRUE(torch::equal(batch.value_NChw[2], nodes[2][8]));
}

TEST(Chebyshev, PointsOutsideTheIntervalAndWrongShapesAreRefused) {
  const at::Tensor nodes = torch::zeros({2, 5, 3});
  EXPECT_THROW(interpolate(nodes, torch::tensor({0.5, 1.1})), ShapeError);
  EXPECT_THROW(interpolate(nodes, torch::tensor({0.5, std::nan("")}, torch::kFloat64)), ShapeError);
  EXPECT_THROW(interpolate(nodes, torch::tensor({0.5})), ShapeError);
}

}  // namespace domainfusion
