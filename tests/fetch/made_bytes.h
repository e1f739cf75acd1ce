#pragma once
// Bytes to be fetched.

#include <string>

#include "domainfusion/fetch/download.h"

namespace domainfusion {

inline std::string made_bytes(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>(i * i * 31 + i / 7));
  return bytes;
}

// Tries a few times without waiting.
inline DownloadOptions quick_tries() { return {.fruitless_tries = 3, .wait_milliseconds = 1, .on_progress = {}}; }

}  // namespace domainfusion
