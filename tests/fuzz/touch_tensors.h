#pragma once
// Reads the bytes that the entries of a weights file promise: all of them, but that sharing and expansion can make more
// than any memory holds.

#include <vector>

#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

inline void touch_tensors(const std::vector<StoredTensor>& tensors) {
  std::vector<std::byte> elements;
  std::uint64_t left = 64 << 20;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.type == TensorType::kOther || byte_count(tensor) > left) continue;
    left -= byte_count(tensor);
    elements.resize(byte_count(tensor));
    copy_row_major(tensor, elements.data());
  }
}

}  // namespace domainfusion
