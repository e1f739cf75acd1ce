#pragma once
// Opening a file to read it, so that nothing but a regular file is ever waited for.

#include <filesystem>

namespace domainfusion {

class OpenFile {
 public:
  // IoError "<path>: …": missing, not readable, a folder, or no regular file (a named pipe, a device, a socket).
  explicit OpenFile(const std::filesystem::path& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor() const { return descriptor_; }
  // Bytes, when it was opened; files of /proc say 0.
  std::size_t size() const { return size_; }
  // Fills `buffer` as far as the file goes; returns the number of bytes, 0 at the end. IoError.
  std::size_t read(char* buffer, std::size_t bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
};

}  // namespace domainfusion
