#include "domainfusion/io/images/image.h"

#include <fmt/format.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/images/image_codecs.h"

namespace domainfusion {
namespace {

bool begins_with(std::string_view bytes, std::string_view magic) { return bytes.substr(0, magic.size()) == magic; }

// What the bytes look like, for the message about a file that is none of the four formats.
std::string_view name_of_other_image_format(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (begins_with(bytes, "BM")) return "BMP";
  if (begins_with(bytes, "II*\0"sv) || begins_with(bytes, "MM\0*"sv)) return "TIFF";
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6') return "PNM";
  if (bytes.size() > 8 && bytes.substr(4, 4) == "ftyp") return "AVIF, HEIC or video";
  return "unknown";
}

using Decoder = Image (*)(std::string_view, Alpha);

// nullptr for a format that is not known.
Decoder decoder_of(std::string_view bytes) {
  if (begins_with(bytes, "\xff\xd8\xff")) return [](std::string_view jpeg, Alpha) { return decode_jpeg(jpeg); };
  if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) return decode_png;
  if (begins_with(bytes, "RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") return decode_webp;
  if (begins_with(bytes, "GIF87a") || begins_with(bytes, "GIF89a")) return decode_gif;
  return nullptr;
}

// `colour` with `alpha` (0 … 255) over white, rounded as PIL does.
std::uint8_t over_white(int colour, int alpha) {
  const int sum = colour * alpha + 255 * (255 - alpha) + 128;
  return static_cast<std::uint8_t>((sum + (sum >> 8)) >> 8);
}

}  // namespace

const std::vector<std::pair<std::string, Alpha>>& alpha_names() {
  static const std::vector<std::pair<std::string, Alpha>> names{{"drop", Alpha::kDrop}, {"white", Alpha::kWhite}};
  return names;
}

std::string name_of(Alpha alpha) { return alpha_names().at(alpha == Alpha::kWhite ? 1 : 0).first; }

void check_image_size(std::int64_t width, std::int64_t height) {
  check<FormatError>(width >= 1 && height >= 1, "declares {} x {} pixels", width, height);
  check<FormatError>(width <= kMaxImagePixels / height, "declares {} x {} pixels, more than the {} allowed", width,
                     height, kMaxImagePixels);
}

Image rgb_of_rgba(int height, int width, const std::uint8_t* rgba, Alpha alpha) {
  const std::size_t pixels = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  Image image{height, width, std::vector<std::uint8_t>(3 * pixels)};
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const std::uint8_t colour = rgba[4 * i + c];
      image.rgb[3 * i + c] = alpha == Alpha::kWhite ? over_white(colour, rgba[4 * i + 3]) : colour;
    }
  }
  return image;
}

bool is_decodable(std::string_view first_bytes) { return decoder_of(first_bytes) != nullptr; }

Image decode_image(std::string_view bytes, std::string_view subject, Alpha alpha) {
  return with_context(subject, [&] {
    check<FormatError>(!bytes.empty(), "the image has 0 bytes");
    const Decoder decode = decoder_of(bytes);
    check<FormatError>(decode != nullptr,
                       "not a JPEG, PNG, WebP or GIF image (its content looks {}, {} bytes); convert or remove it",
                       name_of_other_image_format(bytes), bytes.size());
    return decode(bytes, alpha);
  });
}

Image read_image(const std::filesystem::path& path, Alpha alpha) {
  return decode_image(read_file(path), path.string(), alpha);
}

void write_png(const std::filesystem::path& path, const Image& image) {
  write_file_atomically(path, with_context(path.string(), [&] { return encode_png(image); }));
}

}  // namespace domainfusion
