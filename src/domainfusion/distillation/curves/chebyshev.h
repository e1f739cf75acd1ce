#pragma once
// Interpolation at Chebyshev points of the second kind on [0, 1], and of its derivative.
//
// Points p_j = (1 - cos(pi j / (K - 1))) / 2, j = 0 … K-1, both ends included; the sets of K = 5, 9, 17, 33 are nested.
// Barycentric form (Berrut & Trefethen, SIAM Review 46, 2004, eqs. 4.2 and 5.4): with w_j = (-1)^j, halved at
// both ends,
//   f(p) = sum_j l_j(p) f_j,   l_j(p) = [w_j / (p - p_j)] / sum_k [w_k / (p - p_k)].
// Derivative: interpolate D f, D_jk = (w_k / w_j) / (p_j - p_k) off the diagonal and D_jj = -sum_{k != j} D_jk (the
// negative-sum trick, ibid. eqs. 9.4 and 9.5): constants then have an exactly zero derivative.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace domainfusion {

// Sizes of the nested point sets.
inline constexpr std::int64_t kNestedPointCounts[] = {5, 9, 17, 33};

// The `count` points, ascending from 0 to 1. ConfigError unless count >= 2.
std::vector<double> chebyshev_points(std::int64_t count);

// The barycentric weights of those points.
std::vector<double> barycentric_weights(std::int64_t count);

// float64 [K, K]: (D f)_j is the derivative of the interpolant at p_j.
at::Tensor differentiation_matrix(std::int64_t count);

// Rows that turn node values into the interpolant and its derivative: float64 CPU [N, 2, K], row 0 is l(p), row 1 is
// l(p)^T D. `p_N`: real, any device, in [0, 1] (up to 1e-6 outside is taken as the end). ShapeError otherwise.
at::Tensor interpolation_rows(std::int64_t count, const at::Tensor& p_N);

struct ValueAndDerivative {
  at::Tensor value_NChw;       // z(p)
  at::Tensor derivative_NChw;  // dz/dp
};

// Interpolates image i's nodes [K, ...] at p_i. `nodes_NKChw`: [N, K, ...] of any real dtype and trailing shape, node j
// at point p_j; the results have its dtype, device and shape [N, ...], and do not alias it. Never forms D z: the rows
// of interpolation_rows act on the nodes of the N images at hand. ShapeError if N differs.
ValueAndDerivative interpolate(const at::Tensor& nodes_NKChw, const at::Tensor& p_N);

}  // namespace domainfusion
