#include "domainfusion/io/images/webp_writer.h"

#include <webp/encode.h>

#include <memory>

#include "domainfusion/core/error.h"

namespace domainfusion {

std::string encode_webp(const Image& image, double quality) {
  const bool fits = image.width >= 1 && image.height >= 1 && image.width <= WEBP_MAX_DIMENSION &&
                    image.height <= WEBP_MAX_DIMENSION &&
                    image.rgb.size() ==
                        std::size_t{3} * static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  check<ShapeError>(fits, "an image of {} x {} px in {} bytes cannot be a WebP file", image.width, image.height,
                    image.rgb.size());
  std::uint8_t* bytes = nullptr;
  const std::size_t size =
      WebPEncodeRGB(image.rgb.data(), image.width, image.height, 3 * image.width, static_cast<float>(quality), &bytes);
  const std::unique_ptr<std::uint8_t, decltype(&WebPFree)> owner(bytes, WebPFree);
  check(size > 0, "libwebp could not encode an image of {} x {} px", image.width, image.height);
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace domainfusion
