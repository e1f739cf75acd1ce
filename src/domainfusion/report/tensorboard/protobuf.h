#pragma once
// The wire format of protocol buffers (protobuf.dev/programming-guides/encoding), as far as TensorBoard's events need
// it.

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace domainfusion {

// A message under construction: fields one after the other.
class ProtobufMessage {
 public:
  ProtobufMessage& integer(int field, std::int64_t value) {
    tag(field, kVarint);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufMessage& real(int field, double value) { return fixed(field, kFixed64, value); }
  ProtobufMessage& real32(int field, float value) { return fixed(field, kFixed32, value); }
  ProtobufMessage& text(int field, std::string_view bytes) {
    tag(field, kBytes);
    varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  ProtobufMessage& message(int field, const ProtobufMessage& inner) { return text(field, inner.bytes_); }

  const std::string& bytes() const { return bytes_; }

 private:
  static constexpr int kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  void tag(int field, int wire_type) {
    varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire_type));
  }
  template <class Number>
  ProtobufMessage& fixed(int field, int wire_type, Number value) {
    tag(field, wire_type);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }

  std::string bytes_;
};

// The fields of a message in order.
class ProtobufReader {
 public:
  struct Field {
    int number = 0;
    std::uint64_t value = 0;  // of integers, and the bits of fixed-width numbers
    std::string_view bytes;   // of texts and messages
    double real() const { return bits_as<double>(); }
    float real32() const { return bits_as<float>(); }

   private:
    template <class Number>
    Number bits_as() const {
      Number number;
      std::memcpy(&number, &value, sizeof(number));
      return number;
    }
  };

  explicit ProtobufReader(std::string_view message) : rest_(message) {}
  // nullopt at the end, and where the message is damaged.
  std::optional<Field> next();
  // The first field of that number in `message`.
  static std::optional<Field> find(std::string_view message, int number);

 private:
  std::optional<std::uint64_t> varint();
  std::optional<std::string_view> take(std::uint64_t size);

  std::string_view rest_;
};

}  // namespace domainfusion
