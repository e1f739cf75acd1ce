#include "domainfusion/io/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <random>
#include <utility>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::string_view remedy_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free space on this disk or choose another folder";
    case EFBIG:
      return "raise the file-size limit (ulimit -f)";
    case ENOENT:
    case ENOTDIR:
      return "check that its folder exists and is a folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a folder that you may write to";
    default:
      return "check the disk and the path";
  }
}

}  // namespace

// The process id alone would not do on a file system that machines share. Of a name that leaves no room for more, the
// beginning stands for it, cut between two characters of UTF-8.
std::filesystem::path partial_path(const std::filesystem::path& target) {
  static const unsigned process = std::random_device{}();
  static std::atomic<unsigned> count{0};
  const std::string end = fmt::format("{}{}-{:08x}-{}", kPartialFile, ::getpid(), process, count++);
  std::string name = target.filename().string();
  if (name.size() + end.size() > NAME_MAX) {
    std::size_t kept = NAME_MAX - end.size();
    while (kept > 0 && (name[kept] & 0xC0) == 0x80) --kept;
    name.resize(kept);
  }
  return target.parent_path() / (name + end);
}

bool is_partial_file(const std::filesystem::path& path) {
  return path.filename().string().find(kPartialFile) != std::string::npos;
}

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)), temporary_(partial_path(target_)) {
  // Beyond a file-size limit the write shall fail with EFBIG instead of ending the process.
  static const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  static_cast<void>(ignored);
  std::error_code error;
  const auto status = std::filesystem::status(target_, error);
  check<IoError>(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status),
                 "'{}' cannot be written: it exists and is not a regular file; choose another path", target_.string());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("created");
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
  descriptor_ = -1;
}

void AtomicFile::fail(std::string_view action) const {
  const int error = errno;
  throw IoError(
      fmt::format("'{}' cannot be {}: {}; {}", target_.string(), action, std::strerror(error), remedy_for(error)));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  check<IoError>(descriptor_ >= 0, "'{}' is already committed: nothing can be added", target_.string());
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  check<IoError>(descriptor_ >= 0, "'{}' is already committed", target_.string());
  if (::fsync(descriptor_) != 0) fail("flushed");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("put in place");
  ::close(descriptor_);
  descriptor_ = -1;
  // The rename itself survives a power cut only once the folder is on the disk; some file systems cannot do this: no
  // error.
  if (const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace domainfusion
