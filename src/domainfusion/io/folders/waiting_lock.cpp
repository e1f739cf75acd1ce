#include "domainfusion/io/folders/waiting_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"

namespace domainfusion {

WaitingLock::WaitingLock(const std::filesystem::path& file, const std::string& subject) {
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  file_ = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  check<IoError>(file_ >= 0, "{}: cannot be made: {}", file.string(), std::strerror(errno));
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  log_info("{} is in use by another process: waiting for it", subject);
  while (::flock(file_, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    const int cause = errno;
    ::close(file_);
    throw IoError(fmt::format("{}: cannot be locked: {}", file.string(), std::strerror(cause)));
  }
}

WaitingLock::~WaitingLock() { ::close(file_); }

}  // namespace domainfusion
