#include "domainfusion/data/caches/shrunk_dataset.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/data/transforms/resize.h"

namespace domainfusion {

Image ShrunkDataset::image(std::int64_t domain, std::int64_t index) const {
  Image image = inner().image(domain, index);
  const int shorter = std::min(image.height, image.width);
  if (shorter <= side_px_) return image;
  const auto scaled = [&](int side) {
    const double length = static_cast<double>(side) * static_cast<double>(side_px_) / shorter;
    return std::max(static_cast<int>(side_px_), static_cast<int>(std::lround(length)));
  };
  return resize(image, scaled(image.height), scaled(image.width), Filter::kBilinear);
}

}  // namespace domainfusion
