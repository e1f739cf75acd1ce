#pragma once
// Pictures at the size of a diffusion model.

#include <ATen/core/Tensor.h>

#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/data/transforms/resize.h"

namespace domainfusion {

// float32 [3, size_px, size_px] in [0, 1], resized where the picture has another size.
inline at::Tensor tensor_of_size(const Image& image, std::int64_t size_px) {
  const int size = static_cast<int>(size_px);
  if (image.height == size && image.width == size) return image_to_tensor01(image);
  return image_to_tensor01(resize(image, size, size, Filter::kLanczos));
}

}  // namespace domainfusion
