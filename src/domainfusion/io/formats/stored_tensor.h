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

// Those behind kBool are listed, and copied as they are; of them, only the two F8 can be computed with (as float32).
// kOther: any type that is not known here, of elements of unknown size.
enum class TensorType {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kF4,
  kU16,
  kU32,
  kU64,
  kC64,
  kOther
};

std::string_view name_of(TensorType type);      // "F32", … as safetensors call it
std::size_t bits_per_element(TensorType type);  // 0: kOther
TensorType tensor_type_named(std::string_view name);

struct StoredTensor {
  std::string name;
  TensorType type;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // from the first element on; inside the mapped file when read: not aligned
  std::vector<std::int64_t> strides =
      {};  // in elements, none negative, 0 where expanded; empty: row-major, and `bytes` holds nothing else
  std::string other_type = {};  // of kOther: what its file calls it
};

std::string type_name(const StoredTensor& tensor);

// Text beside the tensors: __metadata__ of safetensors, plain values of a checkpoint ("global_step").
using TensorMetadata = std::map<std::string, std::string>;

// FormatError for a name that cannot be shown on one line: control characters, or more than 1000 bytes.
void check_tensor_name(std::string_view name);

// Product of `shape` and the size of elements of a known type. FormatError that names `tensor`: a negative extent, an
// overflow, no whole number of bytes.
std::uint64_t checked_byte_count(const std::vector<std::int64_t>& shape, TensorType type, const std::string& tensor);

// Of a tensor that was checked when it was read: product of its shape; checked_byte_count, which for an expanded one
// may be any multiple of bytes.size(), and for kOther is bytes.size().
std::uint64_t element_count(const StoredTensor& tensor);
std::uint64_t byte_count(const StoredTensor& tensor);

// Copies the tensor's elements row-major to `target`, which has byte_count(tensor) bytes.
void copy_row_major(const StoredTensor& tensor, std::byte* target);

// The same of a tensor of F8_E4M3 or F8_E5M2, each element as float32. `target`: element_count(tensor) values.
void copy_as_float32(const StoredTensor& tensor, float* target);

}  // namespace domainfusion
