#include "domainfusion/distillation/curves/chebyshev.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// l(p) for one p; at a node the formula is 0/0 and l is the unit vector.
std::vector<double> lagrange_values(const std::vector<double>& points, const std::vector<double>& weights, double p) {
  std::vector<double> values(points.size(), 0.0);
  double sum = 0;
  for (std::size_t j = 0; j < points.size(); ++j) {
    if (p == points[j]) {
      std::fill(values.begin(), values.end(), 0.0);
      values[j] = 1;
      return values;
    }
    sum += values[j] = weights[j] / (p - points[j]);
  }
  for (double& value : values) value /= sum;
  return values;
}

double checked_unit(double p, std::int64_t image) {
  check<ShapeError>(p >= -1e-6 && p <= 1 + 1e-6, "interpolation point {} of image {} is outside [0, 1]", p, image);
  return std::clamp(p, 0.0, 1.0);
}

}  // namespace

std::vector<double> chebyshev_points(std::int64_t count) {
  check<ConfigError>(count >= 2, "{} Chebyshev points asked for: at least 2 are needed (p = 0 and p = 1)", count);
  std::vector<double> points(static_cast<std::size_t>(count));
  // sin^2 keeps full relative accuracy near 0, where 1 - cos would cancel.
  for (std::int64_t j = 0; j < count; ++j) {
    const double s = std::sin(std::numbers::pi * static_cast<double>(j) / (2.0 * static_cast<double>(count - 1)));
    points[j] = s * s;
  }
  points.back() = 1;
  return points;
}

std::vector<double> barycentric_weights(std::int64_t count) {
  std::vector<double> weights(static_cast<std::size_t>(count));
  for (std::int64_t j = 0; j < count; ++j) weights[j] = j % 2 == 0 ? 1 : -1;
  weights.front() /= 2;
  weights.back() /= 2;
  return weights;
}

at::Tensor differentiation_matrix(std::int64_t count) {
  const auto points = chebyshev_points(count);
  const auto weights = barycentric_weights(count);
  at::Tensor matrix = torch::zeros({count, count}, torch::kFloat64);
  auto d = matrix.accessor<double, 2>();
  for (std::int64_t j = 0; j < count; ++j) {
    for (std::int64_t k = 0; k < count; ++k) {
      if (j == k) continue;
      d[j][k] = weights[k] / weights[j] / (points[j] - points[k]);
      d[j][j] -= d[j][k];
    }
  }
  return matrix;
}

at::Tensor interpolation_rows(std::int64_t count, const at::Tensor& p_N) {
  check<ShapeError>(p_N.dim() == 1, "interpolation points have {} dimensions: expected one (one p per image)",
                    p_N.dim());
  const auto points = chebyshev_points(count);
  const auto weights = barycentric_weights(count);
  const at::Tensor p64_N = p_N.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  at::Tensor lagrange_NK = torch::empty({p64_N.size(0), count}, torch::kFloat64);
  for (std::int64_t i = 0; i < p64_N.size(0); ++i) {
    const auto values = lagrange_values(points, weights, checked_unit(p64_N.data_ptr<double>()[i], i));
    std::copy(values.begin(), values.end(), lagrange_NK.data_ptr<double>() + i * count);
  }
  return torch::stack({lagrange_NK, lagrange_NK.matmul(differentiation_matrix(count))}, 1);
}

ValueAndDerivative interpolate(const at::Tensor& nodes_NKChw, const at::Tensor& p_N) {
  check<ShapeError>(nodes_NKChw.dim() >= 2 && p_N.dim() == 1 && nodes_NKChw.size(0) == p_N.size(0),
                    "nodes of shape [{}] do not fit interpolation points of shape [{}]: expected [N, K, ...] and [N]",
                    fmt::join(nodes_NKChw.sizes(), ", "), fmt::join(p_N.sizes(), ", "));
  const at::Tensor rows_N2K = interpolation_rows(nodes_NKChw.size(1), p_N).to(nodes_NKChw.options());
  auto shape = nodes_NKChw.sizes().vec();
  shape[1] = 2;
  const at::Tensor both = torch::bmm(rows_N2K, nodes_NKChw.flatten(2)).reshape(shape);
  return {both.select(1, 0).contiguous(), both.select(1, 1).contiguous()};
}

}  // namespace domainfusion
