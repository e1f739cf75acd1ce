#pragma once
// A file's bytes in memory without reading them: pages come from the disk when they are touched.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace domainfusion {

// Copies share the mapping, which lasts as long as one of them. The memory is private: writing to it is allowed and
// never reaches the file. A file that another program shortens meanwhile ends this one (SIGBUS), as with every mapped
// file.
class MappedFile {
 public:
  MappedFile() = default;
  // IoError without the path (the caller adds it): cannot be opened, no regular file. An empty file has no bytes.
  explicit MappedFile(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(start_.get()), size_}; }

 private:
  std::shared_ptr<const void> start_;
  std::size_t size_ = 0;
};

}  // namespace domainfusion
