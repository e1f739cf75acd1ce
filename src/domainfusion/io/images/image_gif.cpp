#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/io/images/image_codecs.h"

namespace domainfusion {
namespace {

constexpr const char* kCutOffGif = "broken GIF: the data is cut off";
constexpr int kMaxCodeBits = 12;

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

class GifBytes {
 public:
  explicit GifBytes(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::size_t count) {
    check<FormatError>(count <= rest_.size(), "{}", kCutOffGif);
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  int byte() { return static_cast<std::uint8_t>(take(1)[0]); }
  int word() {
    const int low = byte();
    return low + 256 * byte();
  }
  // The next sub-block; empty: the end of their row.
  std::string_view block() { return take(static_cast<std::size_t>(byte())); }
  void skip_blocks() {
    while (!block().empty()) continue;
  }
  // The colours that a descriptor's flags announce, over what `palette` held.
  void read_palette(int flags, Palette& palette) {
    if ((flags & 0x80) == 0) return;
    const int colours = 2 << (flags & 7);
    for (int i = 0; i < colours; ++i) {
      for (std::uint8_t& value : palette[static_cast<std::size_t>(i)]) value = static_cast<std::uint8_t>(byte());
    }
  }

 private:
  std::string_view rest_;
};

struct Frame {
  int left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  std::vector<std::uint8_t> index;  // into the palette, in the order of the data
};

// Codes of growing length, lowest bit first, from a row of sub-blocks.
class GifCodes {
 public:
  explicit GifCodes(GifBytes& bytes) : bytes_(bytes) {}

  int next(int bits) {
    while (held_ < bits) {
      if (block_.empty()) block_ = bytes_.block();
      check<FormatError>(!block_.empty(), "{}", kCutOffGif);
      waiting_ |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(block_[0])) << held_;
      block_.remove_prefix(1);
      held_ += 8;
    }
    const auto code = static_cast<int>(waiting_ & ((1u << bits) - 1));
    waiting_ >>= bits;
    held_ -= bits;
    return code;
  }

 private:
  GifBytes& bytes_;
  std::string_view block_;
  std::uint32_t waiting_ = 0;
  int held_ = 0;
};

// Lempel-Ziv-Welch: each code stands for a byte, or for the string of an earlier code and a byte.
std::vector<std::uint8_t> unpacked(GifBytes& bytes, std::size_t count) {
  const int first_bits = bytes.byte();
  check<FormatError>(first_bits >= 1 && first_bits <= 8, "broken GIF: codes of {} bits", first_bits);
  const int clear = 1 << first_bits, end = clear + 1;
  std::array<std::uint16_t, 1 << kMaxCodeBits> prefix{};
  std::array<std::uint8_t, 1 << kMaxCodeBits> last{};
  std::array<std::uint8_t, (1 << kMaxCodeBits) + 1> reversed{};
  GifCodes codes(bytes);
  std::vector<std::uint8_t> pixels;
  int bits = first_bits + 1, known = end + 1, before = -1;
  std::uint8_t first = 0;  // of the string before
  while (pixels.size() < count) {
    const int code = codes.next(bits);
    if (code == clear) {
      bits = first_bits + 1;
      known = end + 1;
      before = -1;
      continue;
    }
    check<FormatError>(code != end, "broken GIF: its data ends before its pixels do");
    check<FormatError>(code < known || (code == known && before >= 0), "broken GIF: code {} of {}", code, known);
    std::size_t length = 0;
    int walk = code;
    if (code == known) {  // the string before, and its own first byte
      reversed[length++] = first;
      walk = before;
    }
    for (; walk > end; walk = prefix[static_cast<std::size_t>(walk)])
      reversed[length++] = last[static_cast<std::size_t>(walk)];
    first = static_cast<std::uint8_t>(walk);
    reversed[length++] = first;
    for (std::size_t i = length; i > 0 && pixels.size() < count; --i) pixels.push_back(reversed[i - 1]);
    if (before >= 0 && known < 1 << kMaxCodeBits) {
      prefix[static_cast<std::size_t>(known)] = static_cast<std::uint16_t>(before);
      last[static_cast<std::size_t>(known)] = first;
      ++known;
      if (known == 1 << bits && bits < kMaxCodeBits) ++bits;
    }
    before = code;
  }
  return pixels;
}

Frame read_frame(GifBytes& bytes, Palette& palette) {
  Frame frame;
  frame.left = bytes.word();
  frame.top = bytes.word();
  frame.width = bytes.word();
  frame.height = bytes.word();
  check_image_size(frame.width, frame.height);
  const int flags = bytes.byte();
  frame.interlaced = (flags & 0x40) != 0;
  bytes.read_palette(flags, palette);
  frame.index = unpacked(bytes, static_cast<std::size_t>(frame.width) * static_cast<std::size_t>(frame.height));
  return frame;
}

// Where each row of the data belongs: every eighth, then those between, in four passes.
std::vector<int> places_of_rows(const Frame& frame) {
  std::vector<int> places;
  if (frame.interlaced) {
    for (const auto& [first, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}}) {
      for (int y = first; y < frame.height; y += step) places.push_back(y);
    }
  } else {
    for (int y = 0; y < frame.height; ++y) places.push_back(y);
  }
  return places;
}

Image drawn(int height, int width, const Frame& frame, const Palette& palette, std::optional<int> transparent,
            Alpha alpha) {
  check_image_size(width, height);
  const auto colour = [&](int index) {
    const auto& rgb = palette[static_cast<std::size_t>(index)];
    return std::array<std::uint8_t, 4>{rgb[0], rgb[1], rgb[2],
                                       static_cast<std::uint8_t>(index == transparent ? 0 : 255)};
  };
  std::vector<std::uint8_t> rgba(4 * static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  const auto outside = colour(transparent.value_or(0));
  for (std::size_t i = 0; i < rgba.size(); i += 4) std::copy(outside.begin(), outside.end(), rgba.begin() + i);
  const std::vector<int> places = places_of_rows(frame);
  for (int row = 0; row < frame.height; ++row) {
    for (int x = 0; x < frame.width; ++x) {
      const auto pixel = colour(frame.index[static_cast<std::size_t>(row) * frame.width + x]);
      const std::size_t at = static_cast<std::size_t>(frame.top + places[row]) * width + frame.left + x;
      std::copy(pixel.begin(), pixel.end(), rgba.begin() + 4 * at);
    }
  }
  return rgb_of_rgba(height, width, rgba.data(), alpha);
}

}  // namespace

Image decode_gif(std::string_view bytes, Alpha alpha) {
  GifBytes rest(bytes);
  rest.take(6);
  const int width = rest.word(), height = rest.word(), flags = rest.byte();
  rest.take(2);  // colour of the background, which no program draws; pixels' shape
  Palette palette;
  for (std::size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<std::uint8_t>(i));  // without one: grey
  rest.read_palette(flags, palette);
  std::optional<int> transparent;
  while (true) {
    const int kind = rest.byte();
    check<FormatError>(kind != 0x3B, "broken GIF: it ends before its first frame");
    if (kind == 0x2C) break;
    if (kind != 0x21) continue;  // PIL passes over bytes between blocks
    const bool is_control = rest.byte() == 0xF9;
    const std::string_view block = rest.block();
    if (is_control && block.size() >= 4 && (block[0] & 1) != 0) transparent = static_cast<std::uint8_t>(block[3]);
    if (!block.empty()) rest.skip_blocks();
  }
  const Frame frame = read_frame(rest, palette);
  // As in PIL, a frame that leaves the canvas makes it larger.
  return drawn(std::max(height, frame.top + frame.height), std::max(width, frame.left + frame.width), frame, palette,
               transparent, alpha);
}

}  // namespace domainfusion
