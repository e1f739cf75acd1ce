#include "domainfusion/training/algorithms/shared/feature_distances.h"

#include <torch/types.h>

namespace domainfusion {
namespace {

// In the order of the released code's sums: the narrowest kernel sees their rounding, where a row meets itself.
at::Tensor squared_distances(const at::Tensor& a_NF, const at::Tensor& b_MF) {
  const at::Tensor a_N1 = a_NF.square().sum(1, true), b_M1 = b_MF.square().sum(1, true);
  return torch::addmm(b_M1.t(), a_NF, b_MF.t(), 1, -2).add(a_N1).clamp_min(1e-30);
}

at::Tensor mean_kernel(const at::Tensor& a_NF, const at::Tensor& b_MF, std::span<const double> gammas) {
  const at::Tensor distance_NM = squared_distances(a_NF, b_MF);
  at::Tensor kernel_NM = torch::zeros_like(distance_NM);
  for (const double gamma : gammas) kernel_NM = kernel_NM + (-gamma * distance_NM).exp();
  return kernel_NM.mean();
}

at::Tensor covariance(const at::Tensor& centred_NF) {
  return centred_NF.t().matmul(centred_NF) / static_cast<double>(centred_NF.size(0) - 1);
}

}  // namespace

at::Tensor mmd(const at::Tensor& a_NF, const at::Tensor& b_MF, std::span<const double> gammas) {
  return mean_kernel(a_NF, a_NF, gammas) + mean_kernel(b_MF, b_MF, gammas) - 2 * mean_kernel(a_NF, b_MF, gammas);
}

at::Tensor moment_distance(const at::Tensor& a_NF, const at::Tensor& b_MF) {
  const at::Tensor a_mean = a_NF.mean(0, true), b_mean = b_MF.mean(0, true);
  return (a_mean - b_mean).square().mean() + (covariance(a_NF - a_mean) - covariance(b_MF - b_mean)).square().mean();
}

}  // namespace domainfusion
