#pragma once
// Tensors in safetensors files (huggingface.co/docs/safetensors), memory-mapped, without libtorch.
//
// Layout: 8 bytes little-endian header length n; n bytes of JSON {name: {dtype, shape, data_offsets}, "__metadata__": {…}};
// then the data, which the tensors cover without holes or overlaps.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

enum class TensorType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

std::string_view name_of(TensorType type);     // "F32", …
std::size_t bytes_per_element(TensorType type);

struct SafetensorsEntry {
  std::string name;
  TensorType type;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // row-major; inside the mapped file when read: not aligned
};

using TensorMetadata = std::map<std::string, std::string>;

class SafetensorsFile {
 public:
  // Maps the file and checks it like the official reader: header at most 100 MB and inside the file, a JSON object without
  // repeated keys, offsets in bounds and contiguous, shape x dtype = byte range (no overflow), no trailing bytes.
  // Throws IoError (cannot be opened) or FormatError (content), both naming the path.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in the order of their data
  const TensorMetadata& metadata() const { return metadata_; }
  const SafetensorsEntry* find(std::string_view name) const;  // nullptr when absent

 private:
  std::shared_ptr<const void> mapping_;  // keeps the spans of entries_ valid
  std::vector<SafetensorsEntry> entries_;
  TensorMetadata metadata_;
};

// Writes `entries` in their order (header padded with spaces so that the data is 8-byte aligned), atomically. Throws IoError,
// and FormatError for repeated names or a byte count that does not fit shape and type.
void write_safetensors(const std::filesystem::path& path, const std::vector<SafetensorsEntry>& entries,
                       const TensorMetadata& metadata = {});

}  // namespace domainfusion
