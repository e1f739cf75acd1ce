#pragma once
// Which of many images of one class are worth training on: those that a classifier gets right and is least sure of
// (FDS; Noori et al., WACV 2025).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace domainfusion {

// H = -sum_k p_k ln p_k of p = softmax(logits), in nats: float64 [N], 0 … ln K. logits_NK: any float type.
at::Tensor answer_entropy(const at::Tensor& logits_NK);

struct JudgedImage {
  bool right = false;
  double entropy = 0;
};

// The places in `images` of the right ones with the highest entropy, at most `count`, in ascending order; of equal ones
// the earlier.
std::vector<std::size_t> most_uncertain(const std::vector<JudgedImage>& images, std::int64_t count);

}  // namespace domainfusion
