#pragma once
// Zip archives as torch.save writes them: entries that lie uncompressed in the file, found without copying.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace domainfusion {

class ZipArchive {
 public:
  struct Entry {
    std::string_view name;
    std::span<const std::byte> bytes;  // as stored: compressed where `method` is not 0
    std::uint16_t method = 0;
  };

  // Reads the central directory (also zip64), which must lie at the end of `bytes` and fit the local headers; the
  // entries point into `bytes`. FormatError: no directory (truncated), damaged, encrypted, entries that repeat a name
  // or overlap.
  static ZipArchive parse(std::span<const std::byte> bytes);

  const std::vector<Entry>& entries() const { return entries_; }  // by name
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // The content of an entry. FormatError that names it if it is absent or compressed: torch.save never compresses.
  std::span<const std::byte> stored(std::string_view name) const;

 private:
  const Entry* find(std::string_view name) const;

  std::vector<Entry> entries_;
};

}  // namespace domainfusion
