#pragma once
// What the harnesses share. A reader may refuse any input with an Error; whatever else leaves it is a finding.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "domainfusion/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace domainfusion {

template <class Reader>
int read_or_refuse(Reader read) {
  try {
    read();
  } catch (const Error&) {
  }
  return 0;
}

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace domainfusion
