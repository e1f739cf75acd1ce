#include "domainfusion/nn/kernels/padded_pixels.h"

#include <torch/types.h>

#include <algorithm>

namespace domainfusion {
namespace {

std::vector<std::int64_t> nearest_sources(std::int64_t from, std::int64_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  std::vector<std::int64_t> sources;
  for (std::int64_t i = 0; i < to; ++i) {
    sources.push_back(std::min(static_cast<std::int64_t>(static_cast<float>(i) * scale), from - 1));
  }
  return sources;
}

}  // namespace

PaddedPixels::PaddedPixels(const at::Tensor& pixels_NhwC, std::int64_t height, std::int64_t width)
    : pixels_(pixels_NhwC),
      data_(pixels_NhwC.data_ptr<float>()),
      rows_(nearest_sources(pixels_NhwC.size(1), height > 0 ? height : pixels_NhwC.size(1))),
      columns_(nearest_sources(pixels_NhwC.size(2), width > 0 ? width : pixels_NhwC.size(2))),
      zeros_(static_cast<std::size_t>(pixels_NhwC.size(3))) {}

}  // namespace domainfusion
