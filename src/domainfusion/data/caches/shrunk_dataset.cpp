#include "domainfusion/data/caches/shrunk_dataset.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/data/transforms/resize.h"

namespace domainfusion {

Image shrunk(Image image, std::int64_t side_px) {
  const int shorter = std::min(image.height, image.width);
  if (shorter <= side_px) return image;
  const auto scaled = [&](int side) {
    const double length = static_cast<double>(side) * static_cast<double>(side_px) / shorter;
    return std::max(static_cast<int>(side_px), static_cast<int>(std::lround(length)));
  };
  return resize(image, scaled(image.height), scaled(image.width), Filter::kBilinear);
}

}  // namespace domainfusion
