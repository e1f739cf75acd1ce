#pragma once
// A named tensor as it lies in a weights file: its type, its shape, and where its bytes are.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

enum class TensorType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

std::string_view name_of(TensorType type);  // "F32", …
std::size_t bytes_per_element(TensorType type);
// FormatError that lists what is known; `tensor` is the subject of its message.
TensorType tensor_type_named(std::string_view name, const std::string& tensor);

struct StoredTensor {
  std::string name;
  TensorType type;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // from the first element on; inside the mapped file when read: not aligned
  std::vector<std::int64_t> strides =
      {};  // in elements, none negative; empty: row-major, and `bytes` holds nothing else
};

// Text beside the tensors: __metadata__ of safetensors, plain values of a checkpoint ("global_step").
using TensorMetadata = std::map<std::string, std::string>;

// FormatError for a name that cannot be shown on one line: control characters, or more than 1000 bytes.
void check_tensor_name(std::string_view name);

// Product of `shape` and the element's size. FormatError that names `tensor`: a negative extent, an overflow.
std::uint64_t checked_byte_count(const std::vector<std::int64_t>& shape, TensorType type, const std::string& tensor);

// checked_byte_count of a tensor that was checked when it was read.
std::uint64_t byte_count(const StoredTensor& tensor);

// Copies the tensor's elements row-major to `target`, which has byte_count(tensor) bytes.
void copy_row_major(const StoredTensor& tensor, std::byte* target);

}  // namespace domainfusion
