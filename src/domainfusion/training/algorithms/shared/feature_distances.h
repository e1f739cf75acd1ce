#pragma once
// Distances between two sets of feature vectors, as algorithms for alignment minimise them.

#include <ATen/core/Tensor.h>

#include <span>

namespace domainfusion {

inline constexpr double kMmdGammas[] = {0.001, 0.01, 0.1, 1, 10, 100, 1000};

// Squared maximum mean discrepancy (biased; Gretton et al., 2012) of a [N, F] and b [M, F], with the sum over gamma of
// exp(-gamma |x - y|^2) as the kernel.
at::Tensor mmd(const at::Tensor& a_NF, const at::Tensor& b_MF, std::span<const double> gammas = kMmdGammas);

// Mean squared differences of the means and of the (unbiased) covariances (CORAL; Sun and Saenko, ECCV 2016 workshops).
// At least two rows of each.
at::Tensor moment_distance(const at::Tensor& a_NF, const at::Tensor& b_MF);

}  // namespace domainfusion
