#pragma once
// Features of images as points of a plane, for people to look at.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace domainfusion {

// Scores [N, count], float64 on the CPU, of the principal components of x_NF (N >= 1, F >= 1) in order of variance;
// where there are fewer, zeros. Each component points where its largest loading is positive.
at::Tensor principal_components(const at::Tensor& x_NF, std::int64_t count);

struct TsneOptions {
  double perplexity = 30;  // at most (N - 1) / 3
  std::int64_t iterations = 500;
};

// t-SNE (van der Maaten & Hinton, JMLR 2008) of x_NF (N >= 1), exact: [N, 2], float64 on the CPU. Starts from the first
// two principal components, so that nothing is drawn; early exaggeration by 12 over the first quarter of the
// iterations. With fewer than 5 points, those components. Takes time and memory in proportion to N^2.
at::Tensor tsne(const at::Tensor& x_NF, const TsneOptions& options = {});

}  // namespace domainfusion
