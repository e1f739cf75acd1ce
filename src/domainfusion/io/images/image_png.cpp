#include <png.h>

#include <csetjmp>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/io/images/image_codecs.h"

namespace domainfusion {
namespace {

// What libpng reports ends up here; it leaves the failing function by longjmp.
struct PngFailure {
  char message[160] = "";
  [[noreturn]] static void error(png_structp png, png_const_charp text) {
    std::strncpy(static_cast<PngFailure*>(png_get_error_ptr(png))->message, text, sizeof(message) - 1);
    png_longjmp(png, 1);
  }
  static void warning(png_structp, png_const_charp) {}
};

struct PngReader {
  PngFailure failure;
  std::string_view rest;
  png_structp png = nullptr;
  png_infop info = nullptr;

  explicit PngReader(std::string_view bytes) : rest(bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure, PngFailure::error, PngFailure::warning);
    if (png != nullptr) info = png_create_info_struct(png);
    check(info != nullptr, "libpng could not be started (library version or memory)");
    png_set_read_fn(png, this, [](png_structp reader, png_bytep out, std::size_t count) {
      auto* self = static_cast<PngReader*>(png_get_io_ptr(reader));
      if (count > self->rest.size()) png_error(reader, "the PNG data is cut off");
      std::memcpy(out, self->rest.data(), count);
      self->rest.remove_prefix(count);
    });
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // Both return false with failure.message set, and hold no objects with destructors (longjmp).
  bool read_header() {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_read_info(png, info);
    return true;
  }
  bool has_alpha() const {
    return (png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png, info, PNG_INFO_tRNS) != 0;
  }
  // `rows` takes row_bytes * height bytes, four a pixel if `alpha`, else three. What follows the pixels (end mark,
  // texts) is not read: it may be broken or missing.
  bool read_rows(std::uint8_t* rows, std::size_t row_bytes, bool alpha) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    if (!alpha) png_set_strip_alpha(png);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != row_bytes) png_error(png, "unexpected row size");
    const png_uint_32 height = png_get_image_height(png, info);
    for (int pass = 0; pass < passes; ++pass) {
      for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, rows + y * row_bytes, nullptr);
    }
    return true;
  }
};

struct PngWriter {
  PngFailure failure;
  std::string bytes;
  bool out_of_memory = false;
  png_structp png = nullptr;
  png_infop info = nullptr;

  PngWriter() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure, PngFailure::error, PngFailure::warning);
    if (png != nullptr) info = png_create_info_struct(png);
    check(info != nullptr, "libpng could not be started (library version or memory)");
    png_set_write_fn(
        png, this,
        [](png_structp writer, png_bytep data, std::size_t count) {
          auto* self = static_cast<PngWriter*>(png_get_io_ptr(writer));
          try {
            self->bytes.append(reinterpret_cast<const char*>(data), count);
            return;
          } catch (...) {
            self->out_of_memory = true;
          }
          png_error(writer, "out of memory");
        },
        [](png_structp) {});
  }
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  bool write(const Image& image) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    // Level 6 with all filters costs three times as much for 5 % smaller files.
    png_set_compression_level(png, 3);
    png_write_info(png, info);
    for (int y = 0; y < image.height; ++y) {
      png_write_row(png, image.rgb.data() + static_cast<std::size_t>(y) * 3 * static_cast<std::size_t>(image.width));
    }
    png_write_end(png, info);
    return true;
  }
};

}  // namespace

Image decode_png(std::string_view bytes, Alpha alpha) {
  PngReader reader(bytes);
  check<FormatError>(reader.read_header(), "broken PNG: {}", reader.failure.message);
  check_image_size(png_get_image_width(reader.png, reader.info), png_get_image_height(reader.png, reader.info));
  const auto height = static_cast<int>(png_get_image_height(reader.png, reader.info));
  const auto width = static_cast<int>(png_get_image_width(reader.png, reader.info));
  const bool wants_alpha = alpha == Alpha::kWhite && reader.has_alpha();
  const std::size_t row_bytes = (wants_alpha ? 4u : 3u) * static_cast<std::size_t>(width);
  std::vector<std::uint8_t> rows(row_bytes * static_cast<std::size_t>(height));
  check<FormatError>(reader.read_rows(rows.data(), row_bytes, wants_alpha), "broken PNG: {}", reader.failure.message);
  if (wants_alpha) return rgb_of_rgba(height, width, rows.data(), alpha);
  return {height, width, std::move(rows)};
}

std::string encode_png(const Image& image) {
  check<ShapeError>(image.height >= 1 && image.width >= 1 &&
                        image.rgb.size() == std::size_t{3} * static_cast<std::size_t>(image.height) * image.width,
                    "an image of {} x {} pixels with {} bytes cannot be written", image.width, image.height,
                    image.rgb.size());
  PngWriter writer;
  check(writer.write(image), "PNG could not be written: {}", writer.failure.message);
  return std::move(writer.bytes);
}

}  // namespace domainfusion
