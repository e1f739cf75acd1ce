#pragma once
// Tensors in safetensors files (huggingface.co/docs/safetensors), memory-mapped, without libtorch.
//
// Layout: 8 bytes little-endian header length n; n bytes of JSON {name: {dtype, shape, data_offsets}, "__metadata__":
// {…}}; then the data, which the tensors cover without holes or overlaps.

#include <filesystem>
#include <string_view>
#include <vector>

#include "domainfusion/io/files/mapped_file.h"
#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

class SafetensorsFile {
 public:
  // Maps the file and checks it like the official reader: header at most 100 MB and inside the file, a JSON object
  // without repeated keys, offsets in bounds and contiguous, shape x dtype = byte range (no overflow). Of a dtype that
  // is not known (kOther) the byte range is taken as it is. Throws IoError (cannot be opened) or FormatError (content),
  // both naming the path.
  static SafetensorsFile open(const std::filesystem::path& path);
  // The same of bytes in memory, which the entries point into. FormatError without a path.
  static SafetensorsFile parse(std::span<const std::byte> bytes);

  const std::vector<StoredTensor>& entries() const { return entries_; }  // in the order of their data
  const TensorMetadata& metadata() const { return metadata_; }
  std::uint64_t trailing_bytes() const { return trailing_bytes_; }  // behind the last tensor, of no use
  const MappedFile& mapping() const { return mapping_; }
  const StoredTensor* find(std::string_view name) const;  // nullptr when absent

 private:
  MappedFile mapping_;  // keeps the spans of entries_ valid
  std::vector<StoredTensor> entries_;
  TensorMetadata metadata_;
  std::uint64_t trailing_bytes_ = 0;
};

// Writes `entries` in their order, row-major (header padded with spaces so that the data is 8-byte aligned),
// atomically. Throws IoError, and FormatError for repeated names or a byte count that does not fit shape and type.
void write_safetensors(const std::filesystem::path& path, const std::vector<StoredTensor>& entries,
                       const TensorMetadata& metadata = {});

}  // namespace domainfusion
