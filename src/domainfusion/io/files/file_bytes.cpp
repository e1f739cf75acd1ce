#include "domainfusion/io/files/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/broken_link.h"

namespace domainfusion {
namespace {

struct FileDescriptor {
  int number;
  ~FileDescriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) {
    const std::string cause = std::strerror(errno);
    throw IoError(fmt::format("{}: cannot be opened: {}{}", path.string(), cause, broken_link(path)));
  }
  struct stat status {};
  check<IoError>(::fstat(file.number, &status) == 0, "{}: {}", path.string(), std::strerror(errno));
  check<IoError>(!S_ISDIR(status.st_mode), "{}: is a folder, expected a file", path.string());
  std::string bytes;
  // The size is only a first guess: a file may grow, and those in /proc say 0.
  bytes.resize(static_cast<std::size_t>(status.st_size) + 1);
  std::size_t filled = 0;
  while (true) {
    if (filled == bytes.size()) bytes.resize(2 * bytes.size());
    const ssize_t count = ::read(file.number, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    check<IoError>(count >= 0, "{}: cannot be read: {}", path.string(), std::strerror(errno));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace domainfusion
