#pragma once
// The pixels of feature maps by their place in the enlarged and padded input of a convolution, without making that
// input.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace domainfusion {

class PaddedPixels {
 public:
  // pixels: float32 [N, h, w, C], contiguous. height, width: size after nearest-neighbour enlargement (as libtorch's
  // upsample_nearest2d rounds), 0 for none.
  PaddedPixels(const at::Tensor& pixels_NhwC, std::int64_t height, std::int64_t width);

  std::int64_t images() const { return pixels_.size(0); }
  std::int64_t height() const { return std::ssize(rows_); }
  std::int64_t width() const { return std::ssize(columns_); }
  std::int64_t channels() const { return pixels_.size(3); }

  // The channels of a pixel; zeros outside 0 … height - 1, 0 … width - 1.
  const float* at(std::int64_t image, std::int64_t y, std::int64_t x) const {
    if (y < 0 || x < 0 || y >= height() || x >= width()) return zeros_.data();
    const std::int64_t row = image * pixels_.size(1) + rows_[static_cast<std::size_t>(y)];
    return data_ + (row * pixels_.size(2) + columns_[static_cast<std::size_t>(x)]) * channels();
  }

 private:
  at::Tensor pixels_;
  const float* data_;
  std::vector<std::int64_t> rows_, columns_;  // of the maps, behind each row and column of the enlarged input
  std::vector<float> zeros_;
};

}  // namespace domainfusion
