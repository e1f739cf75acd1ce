#pragma once
// Pictures as 8-bit RGB, read from JPEG, PNG, WebP and GIF and written as PNG.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace domainfusion {

// Rows from the top, pixels from the left, three bytes R, G, B each: rgb.size() == 3 * height * width.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> rgb;

  bool operator==(const Image&) const = default;
};

// An image declared larger than this is refused before any memory is taken for it.
constexpr std::int64_t kMaxImagePixels = 100'000'000;

// What becomes of transparency. DomainBed drops it: colours under transparent pixels show, black more often than not.
// "white": the picture as it looks on white paper.
enum class Alpha { kDrop, kWhite };

// "drop", "white".
const std::vector<std::pair<std::string, Alpha>>& alpha_names();
std::string name_of(Alpha alpha);

// Whether bytes that begin so are in a format that decode_image() knows; 12 bytes are enough to tell.
bool is_decodable(std::string_view first_bytes);

// Decodes by content, whatever the file's name says; of an animation (GIF, WebP, PNG) the first frame. The pixels are
// those of PIL's Image.open(...).convert('RGB') over the same codec libraries: grey is repeated, alpha is dropped,
// palettes are looked up, CMYK is taken as Adobe's inverted form, orientation tags and gamma are ignored. Differs from
// PIL: 16-bit grey keeps its upper byte; PIL clips it at 255, which makes nearly every such image white. On white,
// pixels are those of PIL's Image.paste onto white with the alpha as mask. A file that lacks nothing but its end mark
// is read; FormatError "<subject>: …" with the cause: 0 bytes, cut off, too large, another or unknown format.
Image decode_image(std::string_view bytes, std::string_view subject, Alpha alpha = Alpha::kDrop);

// decode_image of a file; its path is the subject. IoError if it cannot be read.
Image read_image(const std::filesystem::path& path, Alpha alpha = Alpha::kDrop);

// Lossless; equal images give equal bytes. ShapeError unless rgb fits height and width.
std::string encode_png(const Image& image);

// encode_png into a file that appears whole or not at all. IoError that names the path.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace domainfusion
