#pragma once
// A picture as three planes of bytes, which is how colour loops are fast.

#include <cstdint>
#include <span>
#include <vector>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

// A part of an image, in pixels: rows top … top + height - 1, columns left … left + width - 1.
struct CropBox {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

// Red, green, blue, each height * width bytes, rows from the top.
struct Planes {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> bytes;

  std::size_t pixels() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  std::uint8_t* channel(int c) { return bytes.data() + static_cast<std::size_t>(c) * pixels(); }
  const std::uint8_t* channel(int c) const { return bytes.data() + static_cast<std::size_t>(c) * pixels(); }
};

// The whole image, mirrored left to right where `flip` is true.
Planes planes_of(const Image& image, bool flip = false);
// The same into `planes`, which keeps its memory for the next call.
void split_into(const Image& image, bool flip, Planes& planes);
Image image_of(const Planes& planes);

}  // namespace domainfusion
