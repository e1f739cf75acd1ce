#include "domainfusion/data/fetch/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBlock = 1 << 16;

// The path of an entry below the folder; empty for one that is passed over.
fs::path checked_path(const std::string& name) {
  check<FormatError>(!name.empty(), "an entry without a name");
  const fs::path path(name);
  const std::string shown = readable_text(name);
  check<FormatError>(!path.is_absolute() && name.find('\\') == std::string::npos && name.find(':') != 1,
                     "entry '{}' is not a relative path: the archive would leave its folder", shown);
  for (const fs::path& part : path) {
    check<FormatError>(part != "..", "entry '{}' holds '..': the archive would leave its folder", shown);
    const std::string text = part.string();
    if (text == "__MACOSX" || (text.size() > 1 && text.front() == '.')) return {};
  }
  return path.lexically_normal();
}

std::string name_of(archive_entry* entry) {
  if (const char* utf8 = archive_entry_pathname_utf8(entry)) return utf8;
  const char* plain = archive_entry_pathname(entry);
  return plain == nullptr ? std::string() : plain;
}

class Unpacking {
 public:
  Unpacking(const fs::path& source, const fs::path& folder, const UnpackLimits& limits)
      : folder_(folder), limits_(limits), archive_(archive_read_new(), archive_read_free) {
    archive_read_support_filter_all(archive_.get());
    archive_read_support_format_zip(archive_.get());
    archive_read_support_format_tar(archive_.get());
    expect_good(archive_read_open_filename(archive_.get(), source.c_str(), kReadBlock));
  }

  // False at the end.
  bool next() {
    const int result = archive_read_next_header(archive_.get(), &entry_);
    if (result == ARCHIVE_EOF) return false;
    expect_good(result);
    check<FormatError>(++entries_ <= limits_.entries, "more than {} entries", limits_.entries);
    return true;
  }

  // Whether a file was written.
  bool unpack() {
    const fs::path path = checked_path(name_of(entry_));
    const bool link = archive_entry_hardlink(entry_) != nullptr || archive_entry_symlink(entry_) != nullptr;
    const auto kind = archive_entry_filetype(entry_);
    check<FormatError>(!link && (kind == AE_IFREG || kind == AE_IFDIR),
                       "entry '{}' is a link or a device: sets are made of files and folders only",
                       readable_text(name_of(entry_)));
    if (path.empty() || path == ".") return false;
    const fs::path target = folder_ / path;
    make_folder(kind == AE_IFDIR ? target : target.parent_path());
    if (kind == AE_IFREG) write_file(target);
    return kind == AE_IFREG;
  }

 private:
  void expect_good(int result) const {
    const char* cause = archive_error_string(archive_.get());
    // Warnings are about attributes that are not used here.
    check<FormatError>(result == ARCHIVE_OK || result == ARCHIVE_WARN, "not a zip or tar archive, or broken: {}",
                       cause == nullptr ? "unknown cause" : cause);
  }

  void make_folder(const fs::path& target) const {
    std::error_code error;
    fs::create_directories(target, error);
    check<FormatError>(!error, "'{}' cannot be made: {}; is it a file and a folder?",
                       readable_text(target.lexically_relative(folder_).string()), error.message());
  }

  void write_file(const fs::path& target) {
    const int file = ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    check<FormatError>(file >= 0 || (errno != EEXIST && errno != EISDIR && errno != ENAMETOOLONG),
                       "holds '{}' twice, or too long a name", target.lexically_relative(folder_).string());
    check<IoError>(file >= 0, "{}: cannot be written: {}", target.string(), std::strerror(errno));
    const std::shared_ptr<const void> closer(nullptr, [file](const void*) { ::close(file); });
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    for (int result; (result = archive_read_data_block(archive_.get(), &block, &size, &offset)) != ARCHIVE_EOF;) {
      expect_good(result);
      bytes_ += static_cast<std::int64_t>(size);
      // A sparse file's holes count too.
      check<FormatError>(bytes_ <= limits_.bytes && offset >= 0 && offset <= limits_.bytes,
                         "unpacks to more than {} bytes", limits_.bytes);
      check<IoError>(::pwrite(file, block, size, offset) == static_cast<ssize_t>(size), "{}: cannot be written: {}",
                     target.string(), std::strerror(errno));
    }
  }

  const fs::path& folder_;
  const UnpackLimits& limits_;
  std::unique_ptr<archive, decltype(&archive_read_free)> archive_;
  archive_entry* entry_ = nullptr;
  std::int64_t entries_ = 0, bytes_ = 0;
};

}  // namespace

std::int64_t unpack_archive(const fs::path& source, const fs::path& folder, const UnpackLimits& limits,
                            const std::function<void(std::int64_t)>& on_progress) {
  return with_context(source.string(), [&] {
    Unpacking unpacking(source, folder, limits);
    std::int64_t files = 0;
    while (unpacking.next()) {
      if (unpacking.unpack()) ++files;
      if (on_progress) on_progress(files);
    }
    check<FormatError>(files > 0, "the archive holds no file");
    return files;
  });
}

}  // namespace domainfusion
