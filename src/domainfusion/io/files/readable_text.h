#pragma once
// Foreign bytes as text, and in messages.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace domainfusion {

// The same memory, whatever its encoding.
inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `bytes` on one line: control characters and bytes that are not UTF-8 become \xNN; what is longer than `most` bytes is
// cut and ends in "…".
std::string readable_text(std::string_view bytes, std::size_t most = 120);

}  // namespace domainfusion
