#include "domainfusion/io/formats/stored_tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
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
  std::size_t bits;
};
constexpr std::array<TypeRow, 19> kTypes{{{TensorType::kF64, "F64", 64},
                                          {TensorType::kF32, "F32", 32},
                                          {TensorType::kF16, "F16", 16},
                                          {TensorType::kBF16, "BF16", 16},
                                          {TensorType::kI64, "I64", 64},
                                          {TensorType::kI32, "I32", 32},
                                          {TensorType::kI16, "I16", 16},
                                          {TensorType::kI8, "I8", 8},
                                          {TensorType::kU8, "U8", 8},
                                          {TensorType::kBool, "BOOL", 8},
                                          {TensorType::kF8E4M3, "F8_E4M3", 8},
                                          {TensorType::kF8E5M2, "F8_E5M2", 8},
                                          {TensorType::kF8E8M0, "F8_E8M0", 8},
                                          {TensorType::kF4, "F4", 4},
                                          {TensorType::kU16, "U16", 16},
                                          {TensorType::kU32, "U32", 32},
                                          {TensorType::kU64, "U64", 64},
                                          {TensorType::kC64, "C64", 64},
                                          {TensorType::kOther, "", 0}}};

// A float of 8 bits: sign, exponent, mantissa. E5M2 has infinities as IEEE 754; in E4M3 the last code alone is no
// number (Micikevicius et al. 2022).
float float8_value(unsigned code, int mantissa_bits, int bias, bool has_infinities) {
  const int exponent = static_cast<int>(code & 0x7f) >> mantissa_bits, last_exponent = 0x7f >> mantissa_bits;
  const int fraction = static_cast<int>(code) & ((1 << mantissa_bits) - 1), last_fraction = (1 << mantissa_bits) - 1;
  const float sign = (code & 0x80) != 0 ? -1.0f : 1.0f;
  if (exponent == last_exponent && has_infinities) return fraction == 0 ? sign * HUGE_VALF : NAN;
  if (exponent == last_exponent && fraction == last_fraction) return NAN;
  const int significand = exponent == 0 ? fraction : fraction + (1 << mantissa_bits);
  return sign * std::ldexp(static_cast<float>(significand), std::max(exponent, 1) - bias - mantissa_bits);
}

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
std::size_t bits_per_element(TensorType type) { return kTypes[static_cast<std::size_t>(type)].bits; }

TensorType tensor_type_named(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return TensorType::kOther;
}

std::string type_name(const StoredTensor& tensor) {
  return tensor.type == TensorType::kOther ? tensor.other_type : std::string(name_of(tensor.type));
}

void check_tensor_name(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 1000;
  check<FormatError>(name.size() <= kMaxNameBytes && readable_text(name, kMaxNameBytes) == name,
                     "holds a tensor with the name '{}', which is no printable text of at most {} bytes: it is damaged",
                     readable_text(name), kMaxNameBytes);
}

std::uint64_t checked_byte_count(const std::vector<std::int64_t>& shape, TensorType type, const std::string& tensor) {
  std::uint64_t bits = bits_per_element(type);
  for (const std::int64_t extent : shape) {
    check<FormatError>(extent >= 0 && !__builtin_mul_overflow(bits, static_cast<std::uint64_t>(extent), &bits),
                       "tensor '{}': its shape [{}] overflows", tensor, fmt::join(shape, ", "));
  }
  check<FormatError>(bits % 8 == 0, "tensor '{}': its shape [{}] of {} fills no whole number of bytes", tensor,
                     fmt::join(shape, ", "), name_of(type));
  return bits / 8;
}

std::uint64_t element_count(const StoredTensor& tensor) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : tensor.shape) count *= static_cast<std::uint64_t>(extent);
  return count;
}

std::uint64_t byte_count(const StoredTensor& tensor) {
  return tensor.type == TensorType::kOther ? tensor.bytes.size()
                                           : element_count(tensor) * bits_per_element(tensor.type) / 8;
}

void copy_row_major(const StoredTensor& tensor, std::byte* target) {
  const std::uint64_t bytes = byte_count(tensor);
  if (bytes == 0) return;
  if (tensor.strides.empty()) {
    std::memcpy(target, tensor.bytes.data(), bytes);
    return;
  }
  const std::size_t size = bits_per_element(tensor.type) / 8;
  const std::int64_t length = tensor.shape.back(), stride = tensor.strides.back();
  StridedRows rows(tensor);
  do {
    const std::byte* source = tensor.bytes.data() + static_cast<std::size_t>(rows.offset()) * size;
    for (std::int64_t i = 0; i < length; ++i, target += size) {
      std::memcpy(target, source + static_cast<std::size_t>(i * stride) * size, size);
    }
  } while (rows.next());
}

void copy_as_float32(const StoredTensor& tensor, float* target) {
  const bool e5m2 = tensor.type == TensorType::kF8E5M2;
  std::array<float, 256> values;
  for (unsigned code = 0; code < values.size(); ++code) {
    values[code] = e5m2 ? float8_value(code, 2, 15, true) : float8_value(code, 3, 7, false);
  }
  std::vector<std::byte> codes(byte_count(tensor));
  copy_row_major(tensor, codes.data());
  for (const std::byte code : codes) *target++ = values[static_cast<std::size_t>(code)];
}

}  // namespace domainfusion
