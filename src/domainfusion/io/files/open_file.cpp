#include "domainfusion/io/files/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/broken_link.h"

namespace domainfusion {

OpenFile::OpenFile(const std::filesystem::path& path) : path_(path) {
  // Without O_NONBLOCK, opening a named pipe would wait for its writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    const std::string cause = std::strerror(errno);
    throw IoError(fmt::format("{}: cannot be opened: {}{}", path.string(), cause, broken_link(path)));
  }
  try {
    struct stat status {};
    check<IoError>(::fstat(descriptor_, &status) == 0, "{}: {}", path.string(), std::strerror(errno));
    check<IoError>(!S_ISDIR(status.st_mode), "{}: is a folder, expected a file", path.string());
    check<IoError>(S_ISREG(status.st_mode), "{}: is a named pipe, a device or a socket, expected a regular file",
                   path.string());
    size_ = static_cast<std::size_t>(status.st_size);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

OpenFile::~OpenFile() { ::close(descriptor_); }

std::size_t OpenFile::read(char* buffer, std::size_t bytes) const {
  std::size_t filled = 0;
  while (filled < bytes) {
    const ssize_t count = ::read(descriptor_, buffer + filled, bytes - filled);
    if (count < 0 && errno == EINTR) continue;
    check<IoError>(count >= 0, "{}: cannot be read: {}", path_.string(), std::strerror(errno));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

}  // namespace domainfusion
