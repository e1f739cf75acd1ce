#include "domainfusion/report/tensorboard/protobuf.h"

namespace domainfusion {

std::optional<std::uint64_t> ProtobufReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> ProtobufReader::take(std::uint64_t size) {
  if (size > rest_.size()) return std::nullopt;
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::optional<ProtobufReader::Field> ProtobufReader::next() {
  const auto tag = varint();
  if (!tag) return std::nullopt;
  Field field;
  field.number = static_cast<int>(*tag >> 3);
  const int wire_type = static_cast<int>(*tag & 7);
  if (wire_type == 0 || wire_type == 2) {
    const auto value = varint();
    if (!value) return std::nullopt;
    field.value = *value;
    if (wire_type == 0) return field;
  }
  if (wire_type != 1 && wire_type != 2 && wire_type != 5) return std::nullopt;
  const auto bytes = take(wire_type == 2 ? field.value : wire_type == 1 ? 8 : 4);
  if (!bytes) return std::nullopt;
  field.bytes = *bytes;
  if (wire_type != 2) std::memcpy(&field.value, bytes->data(), bytes->size());
  return field;
}

std::optional<ProtobufReader::Field> ProtobufReader::find(std::string_view message, int number) {
  ProtobufReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number == number) return field;
  }
  return std::nullopt;
}

}  // namespace domainfusion
