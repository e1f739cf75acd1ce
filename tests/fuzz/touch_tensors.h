#pragma once
// Reads every byte that the entries of a weights file promise.

#include <vector>

#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

inline void touch_tensors(const std::vector<StoredTensor>& tensors) {
  std::vector<std::byte> elements;
  for (const StoredTensor& tensor : tensors) {
    elements.resize(byte_count(tensor));
    copy_row_major(tensor, elements.data());
  }
}

}  // namespace domainfusion
