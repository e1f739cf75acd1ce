#include "domainfusion/io/images/image.h"

#include <fmt/format.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/images/image_codecs.h"

namespace domainfusion {
namespace {

bool begins_with(std::string_view bytes, std::string_view magic) { return bytes.substr(0, magic.size()) == magic; }

// What the bytes look like, for the message about a file that is none of the three formats.
std::string_view name_of_other_image_format(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (begins_with(bytes, "GIF8")) return "GIF";
  if (begins_with(bytes, "BM")) return "BMP";
  if (begins_with(bytes, "II*\0"sv) || begins_with(bytes, "MM\0*"sv)) return "TIFF";
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6') return "PNM";
  if (bytes.size() > 8 && bytes.substr(4, 4) == "ftyp") return "AVIF, HEIC or video";
  return "unknown";
}

}  // namespace

void check_image_size(std::int64_t width, std::int64_t height) {
  check<FormatError>(width >= 1 && height >= 1, "declares {} x {} pixels", width, height);
  check<FormatError>(width <= kMaxImagePixels / height, "declares {} x {} pixels, more than the {} allowed", width,
                     height, kMaxImagePixels);
}

Image decode_image(std::string_view bytes, std::string_view subject) {
  return with_context(subject, [&] {
    check<FormatError>(!bytes.empty(), "the image has 0 bytes");
    if (begins_with(bytes, "\xff\xd8\xff")) return decode_jpeg(bytes);
    if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) return decode_png(bytes);
    if (begins_with(bytes, "RIFF") && bytes.size() > 12 && bytes.substr(8, 4) == "WEBP") return decode_webp(bytes);
    throw FormatError(
        fmt::format("not a JPEG, PNG or WebP image (its content looks {}, {} bytes); convert or remove it",
                    name_of_other_image_format(bytes), bytes.size()));
  });
}

Image read_image(const std::filesystem::path& path) { return decode_image(read_file(path), path.string()); }

void write_png(const std::filesystem::path& path, const Image& image) {
  write_file_atomically(path, with_context(path.string(), [&] { return encode_png(image); }));
}

}  // namespace domainfusion
