#include "domainfusion/io/files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/broken_link.h"

namespace domainfusion {

MappedFile::MappedFile(const std::filesystem::path& path) {
  // Without O_NONBLOCK, opening a named pipe would wait for its writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const std::string cause = std::strerror(errno);
    throw IoError(fmt::format("cannot be opened: {}{}; check the path", cause, broken_link(path)));
  }
  const std::shared_ptr<const void> closer(nullptr, [descriptor](const void*) { ::close(descriptor); });
  struct stat info {};
  check<IoError>(::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode), "is not a regular file");
  size_ = static_cast<std::size_t>(info.st_size);
  if (size_ == 0) return;
  void* start = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
  check<IoError>(start != MAP_FAILED, "cannot be mapped: {}", std::strerror(errno));
  start_ = {start, [size = size_](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); }};
}

}  // namespace domainfusion
