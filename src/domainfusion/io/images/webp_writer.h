#pragma once
// Small files of pictures that people look at.

#include <string>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

// A WebP file with losses; quality 0 … 100, 75 being hard to tell from the picture. Equal images give equal bytes.
// ShapeError unless rgb fits height and width, and both are 1 … 16383.
std::string encode_webp(const Image& image, double quality = 75);

}  // namespace domainfusion
