#include <webp/decode.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/images/image_codecs.h"

namespace domainfusion {
namespace {

std::string_view cause_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "the WebP data is cut off";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a feature that libwebp does not know";
    default:
      return "invalid data";
  }
}

}  // namespace

Image decode_webp(std::string_view bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  check(WebPInitDecoderConfig(&config) != 0, "libwebp has another version than the one that was compiled against");
  VP8StatusCode status = WebPGetFeatures(data, bytes.size(), &config.input);
  check<FormatError>(status == VP8_STATUS_OK, "broken WebP: {}", cause_of(status));
  check<FormatError>(config.input.has_animation == 0, "an animated WebP; save its first frame as a still image");
  check_image_size(config.input.width, config.input.height);
  Image image{config.input.height, config.input.width, {}};
  const std::size_t row_bytes = 3 * static_cast<std::size_t>(image.width);
  image.rgb.resize(row_bytes * static_cast<std::size_t>(image.height));
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {image.rgb.data(), static_cast<int>(row_bytes), image.rgb.size()};
  status = WebPDecode(data, bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  check<FormatError>(status == VP8_STATUS_OK, "broken WebP: {}", cause_of(status));
  return image;
}

}  // namespace domainfusion
