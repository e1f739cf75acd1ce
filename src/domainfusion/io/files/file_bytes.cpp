#include "domainfusion/io/files/file_bytes.h"

#include "domainfusion/io/files/open_file.h"

namespace domainfusion {

std::string read_file(const std::filesystem::path& path) {
  const OpenFile file(path);
  std::string bytes;
  // The size is only a first guess: a file may grow, and those in /proc say 0.
  bytes.resize(file.size() + 1);
  std::size_t filled = 0;
  while (true) {
    filled += file.read(bytes.data() + filled, bytes.size() - filled);
    if (filled < bytes.size()) break;
    bytes.resize(2 * bytes.size());
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace domainfusion
