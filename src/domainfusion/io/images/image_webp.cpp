#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

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

Image first_frame(std::string_view bytes, Alpha alpha) {
  WebPAnimDecoderOptions options;
  check(WebPAnimDecoderOptionsInit(&options) != 0, "libwebpdemux has another version than the one compiled against");
  options.color_mode = MODE_RGBA;
  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)> decoder(WebPAnimDecoderNew(&data, &options),
                                                                                   WebPAnimDecoderDelete);
  WebPAnimInfo info;
  std::uint8_t* canvas = nullptr;
  int time = 0;
  check<FormatError>(decoder && WebPAnimDecoderGetInfo(decoder.get(), &info) != 0 &&
                         WebPAnimDecoderGetNext(decoder.get(), &canvas, &time) != 0,
                     "broken WebP: the animation's first frame is invalid or cut off");
  return rgb_of_rgba(static_cast<int>(info.canvas_height), static_cast<int>(info.canvas_width), canvas, alpha);
}

}  // namespace

Image decode_webp(std::string_view bytes, Alpha alpha) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  check(WebPInitDecoderConfig(&config) != 0, "libwebp has another version than the one that was compiled against");
  VP8StatusCode status = WebPGetFeatures(data, bytes.size(), &config.input);
  check<FormatError>(status == VP8_STATUS_OK, "broken WebP: {}", cause_of(status));
  check_image_size(config.input.width, config.input.height);
  if (config.input.has_animation != 0) return first_frame(bytes, alpha);
  const bool wants_alpha = alpha == Alpha::kWhite && config.input.has_alpha != 0;
  const std::size_t row_bytes = (wants_alpha ? 4u : 3u) * static_cast<std::size_t>(config.input.width);
  std::vector<std::uint8_t> rows(row_bytes * static_cast<std::size_t>(config.input.height));
  config.output.colorspace = wants_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {rows.data(), static_cast<int>(row_bytes), rows.size()};
  status = WebPDecode(data, bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  check<FormatError>(status == VP8_STATUS_OK, "broken WebP: {}", cause_of(status));
  if (wants_alpha) return rgb_of_rgba(config.input.height, config.input.width, rows.data(), alpha);
  return {config.input.height, config.input.width, std::move(rows)};
}

}  // namespace domainfusion
