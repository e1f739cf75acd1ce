#include "domainfusion/evaluation/looks/feature_map.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

namespace domainfusion {
namespace {

constexpr std::int64_t kTsneComponents = 50;  // of the features; the rest is noise

at::Tensor squared_distances(const at::Tensor& x_ND) {
  const at::Tensor square_N1 = x_ND.square().sum(1, true);
  return (square_N1 + square_N1.t() - 2 * torch::mm(x_ND, x_ND.t())).clamp_min(0);
}

// P(j | i) with the entropy that `perplexity` asks for, each row's width by bisection.
at::Tensor conditional_similarities(const at::Tensor& distance_NN, double perplexity) {
  const std::int64_t n = distance_NN.size(0);
  const at::Tensor self_NN = torch::eye(n, torch::kBool);
  // A row's nearest neighbour at distance 0 changes no share, and keeps the exponentials from vanishing together.
  const at::Tensor nearest_N1 = distance_NN.masked_fill(self_NN, INFINITY).amin(1, true);
  const at::Tensor shifted_NN = distance_NN - nearest_N1;
  at::Tensor low_N1 = torch::zeros({n, 1}, torch::kDouble), high_N1 = torch::full({n, 1}, INFINITY, torch::kDouble);
  at::Tensor beta_N1 = torch::ones({n, 1}, torch::kDouble), p_NN;
  for (int i = 0; i < 60; ++i) {
    p_NN = (-shifted_NN * beta_N1).exp().masked_fill(self_NN, 0);
    p_NN = p_NN / p_NN.sum(1, true);
    const at::Tensor entropy_N1 = -(p_NN * p_NN.clamp_min(1e-300).log()).sum(1, true);
    const at::Tensor too_wide = entropy_N1 > std::log(perplexity);
    low_N1 = torch::where(too_wide, beta_N1, low_N1);
    high_N1 = torch::where(too_wide, high_N1, beta_N1);
    beta_N1 = torch::where(high_N1.isinf(), beta_N1 * 2, (low_N1 + high_N1) / 2);
  }
  return p_NN;
}

}  // namespace

at::Tensor principal_components(const at::Tensor& x_NF, std::int64_t count) {
  const torch::NoGradGuard no_grad;
  const at::Tensor x = x_NF.to(at::kCPU, at::kDouble);
  const auto [u, s, vh] = torch::linalg_svd(x - x.mean(0, true), false);
  const std::int64_t found = std::min(count, s.size(0));
  const at::Tensor loading_cF = vh.narrow(0, 0, found);
  const at::Tensor sign_c1 = loading_cF.gather(1, loading_cF.abs().argmax(1, true)).sign();
  at::Tensor scores = u.narrow(1, 0, found) * s.narrow(0, 0, found) * sign_c1.t();
  if (found == count) return scores;
  return torch::cat({scores, torch::zeros({x.size(0), count - found}, torch::kDouble)}, 1);
}

at::Tensor tsne(const at::Tensor& x_NF, const TsneOptions& options) {
  const torch::NoGradGuard no_grad;
  const std::int64_t n = x_NF.size(0);
  const at::Tensor components = principal_components(x_NF, kTsneComponents);
  const at::Tensor plane = components.narrow(1, 0, 2);
  if (n < 5) return plane.clone();
  const double perplexity = std::min(options.perplexity, static_cast<double>(n - 1) / 3);
  const at::Tensor given_NN = conditional_similarities(squared_distances(components), perplexity);
  const at::Tensor p_NN = (given_NN + given_NN.t()) / (2.0 * static_cast<double>(n));
  const double spread = plane.select(1, 0).std(false).item<double>();
  at::Tensor y_N2 = plane * (1e-4 / std::max(spread, 1e-12));
  at::Tensor step_N2 = torch::zeros_like(y_N2), gain_N2 = torch::ones_like(y_N2);
  const double rate = std::max(static_cast<double>(n) / 12 / 4, 50.0);
  for (std::int64_t i = 0; i < options.iterations; ++i) {
    const bool early = i < options.iterations / 4;
    const at::Tensor kernel_NN = (1 + squared_distances(y_N2)).reciprocal().fill_diagonal_(0);
    const at::Tensor force_NN = ((early ? 12.0 : 1.0) * p_NN - kernel_NN / kernel_NN.sum()) * kernel_NN;
    const at::Tensor gradient_N2 = 4 * (force_NN.sum(1, true) * y_N2 - torch::mm(force_NN, y_N2));
    const at::Tensor same = (gradient_N2 * step_N2) > 0;
    gain_N2 = torch::where(same, gain_N2 * 0.8, gain_N2 + 0.2).clamp_min(0.01);
    step_N2 = (early ? 0.5 : 0.8) * step_N2 - rate * gain_N2 * gradient_N2;
    y_N2 = y_N2 + step_N2;
    y_N2 = y_N2 - y_N2.mean(0, true);
  }
  return y_N2;
}

}  // namespace domainfusion
