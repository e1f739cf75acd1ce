#pragma once
// The single codecs behind decode_image(). All throw FormatError without naming a subject; the caller adds it.

#include <cstdint>
#include <string_view>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

// FormatError unless 1 <= width * height <= kMaxImagePixels.
void check_image_size(std::int64_t width, std::int64_t height);

// An image of height * width pixels R, G, B, A.
Image rgb_of_rgba(int height, int width, const std::uint8_t* rgba, Alpha alpha);

Image decode_jpeg(std::string_view bytes);
Image decode_png(std::string_view bytes, Alpha alpha);
Image decode_webp(std::string_view bytes, Alpha alpha);
// The first frame, on a canvas that is transparent elsewhere.
Image decode_gif(std::string_view bytes, Alpha alpha);

}  // namespace domainfusion
