#include "domainfusion/io/files/readable_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace domainfusion {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Length of the printable UTF-8 character at the start of `bytes`; 0 where there is none.
std::size_t printable_length(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xf0 && first < 0xf5   ? 4
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xc2 && first < 0xe0 ? 2
                                                             : 0;
  if (length == 0 || bytes.size() < length) return 0;
  const auto second = static_cast<unsigned char>(bytes[1]);
  // Overlong forms, surrogates, code points beyond Unicode, and the control characters U+0080 … U+009F.
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
      (first == 0xf4 && second > 0x8f) || (first == 0xc2 && second < 0xa0)) {
    return 0;
  }
  return std::all_of(bytes.begin() + 1, bytes.begin() + static_cast<std::ptrdiff_t>(length), is_continuation) ? length
                                                                                                              : 0;
}

}  // namespace

std::string readable_text(std::string_view bytes, std::size_t most) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = printable_length(bytes), taken = length > 0 ? length : 1;
    if (text.size() + taken > most) return text + "…";
    text += length > 0 ? std::string(bytes.substr(0, length))
                       : fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
    bytes.remove_prefix(taken);
  }
  return text;
}

}  // namespace domainfusion
