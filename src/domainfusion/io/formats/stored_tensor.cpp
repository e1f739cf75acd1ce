#include "domainfusion/io/formats/stored_tensor.h"

#include <array>
#include <bit>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/readable_text.h"

static_assert(std::endian::native == std::endian::little,
              "weights files are little-endian: byte order is not converted");

namespace domainfusion {
namespace {

struct TypeRow {
  TensorType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<TypeRow, 10> kTypes{{{TensorType::kF64, "F64", 8},
                                          {TensorType::kF32, "F32", 4},
                                          {TensorType::kF16, "F16", 2},
                                          {TensorType::kBF16, "BF16", 2},
                                          {TensorType::kI64, "I64", 8},
                                          {TensorType::kI32, "I32", 4},
                                          {TensorType::kI16, "I16", 2},
                                          {TensorType::kI8, "I8", 1},
                                          {TensorType::kU8, "U8", 1},
                                          {TensorType::kBool, "BOOL", 1}}};

// One row after the other along the last dimension; `index` counts through the others.
class StridedRows {
 public:
  explicit StridedRows(const StoredTensor& tensor) : tensor_(tensor), index_(tensor.shape.size() - 1, 0) {}
  std::int64_t offset() const {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < index_.size(); ++d) offset += index_[d] * tensor_.strides[d];
    return offset;
  }
  bool next() {
    for (std::size_t d = index_.size(); d-- > 0;) {
      if (++index_[d] < tensor_.shape[d]) return true;
      index_[d] = 0;
    }
    return false;
  }

 private:
  const StoredTensor& tensor_;
  std::vector<std::int64_t> index_;
};

}  // namespace

std::string_view name_of(TensorType type) { return kTypes[static_cast<std::size_t>(type)].name; }
std::size_t bytes_per_element(TensorType type) { return kTypes[static_cast<std::size_t>(type)].bytes; }

TensorType tensor_type_named(std::string_view name, const std::string& tensor) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  throw FormatError(fmt::format(
      "tensor '{}' has dtype '{}'; supported: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL", tensor, name));
}

void check_tensor_name(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 1000;
  check<FormatError>(name.size() <= kMaxNameBytes && readable_text(name, kMaxNameBytes) == name,
                     "holds a tensor with the name '{}', which is no printable text of at most {} bytes: it is damaged",
                     readable_text(name), kMaxNameBytes);
}

std::uint64_t checked_byte_count(const std::vector<std::int64_t>& shape, TensorType type, const std::string& tensor) {
  std::uint64_t count = bytes_per_element(type);
  for (const std::int64_t extent : shape) {
    check<FormatError>(extent >= 0 && !__builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count),
                       "tensor '{}': its shape [{}] overflows", tensor, fmt::join(shape, ", "));
  }
  return count;
}

std::uint64_t byte_count(const StoredTensor& tensor) {
  std::uint64_t count = bytes_per_element(tensor.type);
  for (const std::int64_t extent : tensor.shape) count *= static_cast<std::uint64_t>(extent);
  return count;
}

void copy_row_major(const StoredTensor& tensor, std::byte* target) {
  const std::uint64_t bytes = byte_count(tensor);
  if (bytes == 0) return;
  if (tensor.strides.empty()) {
    std::memcpy(target, tensor.bytes.data(), bytes);
    return;
  }
  const std::size_t size = bytes_per_element(tensor.type);
  const std::int64_t length = tensor.shape.back(), stride = tensor.strides.back();
  StridedRows rows(tensor);
  do {
    const std::byte* source = tensor.bytes.data() + static_cast<std::size_t>(rows.offset()) * size;
    for (std::int64_t i = 0; i < length; ++i, target += size) {
      std::memcpy(target, source + static_cast<std::size_t>(i * stride) * size, size);
    }
  } while (rows.next());
}

}  // namespace domainfusion
