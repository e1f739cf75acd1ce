#include "domainfusion/io/folders/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <utility>

#include "domainfusion/core/error.h"

namespace domainfusion {

FolderLock::FolderLock(const std::filesystem::path& folder, const std::string& subject)
    : file_(::open((folder / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666)) {
  check<IoError>(file_ >= 0, "{} is not writable: choose another one", subject);
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    ::close(file_);
    throw IoError(fmt::format("{} is in use by another process: wait for it, or choose another one", subject));
  }
}

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

}  // namespace domainfusion
