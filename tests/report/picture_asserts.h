#pragma once
// What the tests of pictures ask of pixels.

#include <cstddef>

#include "domainfusion/report/canvas.h"

namespace domainfusion {

inline constexpr Rgb kRed{255, 0, 0}, kBlue{0, 0, 255};

inline bool has_colour(const Image& image, int x, int y, Rgb c) {
  const std::uint8_t* p = &image.rgb[3 * (std::size_t(y) * image.width + x)];
  return p[0] == c.r && p[1] == c.g && p[2] == c.b;
}

inline int count_colour(const Image& image, Rgb c) {
  int count = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) count += has_colour(image, x, y, c);
  }
  return count;
}

}  // namespace domainfusion
