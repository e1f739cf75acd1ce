#include "domainfusion/augmentation/fds/uncertainty.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace domainfusion {

at::Tensor answer_entropy(const at::Tensor& logits_NK) {
  const at::Tensor log_p = at::log_softmax(logits_NK.to(at::kDouble), 1);
  return -(log_p.exp() * log_p).sum(1);
}

std::vector<std::size_t> most_uncertain(const std::vector<JudgedImage>& images, std::int64_t count) {
  std::vector<std::size_t> right;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (images[i].right) right.push_back(i);
  }
  std::stable_sort(right.begin(), right.end(),
                   [&](std::size_t a, std::size_t b) { return images[a].entropy > images[b].entropy; });
  right.resize(std::min(right.size(), static_cast<std::size_t>(count)));
  std::sort(right.begin(), right.end());
  return right;
}

}  // namespace domainfusion
