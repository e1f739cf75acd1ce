#include "domainfusion/io/files/json_lines.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

// Offset behind the last line end of the open file, 0 if it has none.
off_t end_of_whole_lines(int file, off_t size) {
  char block[4096];
  while (size > 0) {
    const off_t start = std::max<off_t>(0, size - static_cast<off_t>(sizeof(block)));
    const ssize_t count = ::pread(file, block, static_cast<std::size_t>(size - start), start);
    if (count <= 0) return size;
    for (ssize_t i = count; i > 0; --i) {
      if (block[i - 1] == '\n') return start + i;
    }
    size = start;
  }
  return 0;
}

}  // namespace

JsonLinesWriter::JsonLinesWriter(std::filesystem::path path) : path_(std::move(path)) {
  // Beyond a file-size limit a write shall fail with EFBIG instead of ending the process.
  std::signal(SIGXFSZ, SIG_IGN);
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  check<IoError>(file_ >= 0, "{}: cannot be opened for writing: {}", path_.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(file_, &status) == 0 && S_ISREG(status.st_mode)) {
    const off_t whole = end_of_whole_lines(file_, status.st_size);
    if (whole < status.st_size && ::ftruncate(file_, whole) != 0) {
      ::close(file_);
      throw IoError(fmt::format("{}: its torn last line cannot be cut off: {}", path_.string(), std::strerror(errno)));
    }
  }
  ::lseek(file_, 0, SEEK_END);
}

JsonLinesWriter::JsonLinesWriter(JsonLinesWriter&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

JsonLinesWriter::~JsonLinesWriter() {
  if (file_ >= 0) ::close(file_);
}

void JsonLinesWriter::write(const nlohmann::json& value) {
  const std::string line = json_text(value) + '\n';
  const off_t start = ::lseek(file_, 0, SEEK_CUR);
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t count = ::write(file_, line.data() + done, line.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int cause = errno;
      // A device such as /dev/full cannot be cut back; the error below is what counts.
      if (start >= 0 && ::ftruncate(file_, start) == 0) ::lseek(file_, start, SEEK_SET);
      throw IoError(fmt::format("{}: a line of {} bytes could not be written: {}; free some space and resume",
                                path_.string(), line.size(), std::strerror(cause)));
    }
    done += static_cast<std::size_t>(count);
  }
}

std::vector<nlohmann::json> read_json_lines(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<nlohmann::json> values;
  std::size_t number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string::npos) break;
    ++number;
    values.push_back(with_context(fmt::format("{}: line {}", path.string(), number),
                                  [&] { return parse_json(std::string_view(text).substr(start, end - start)); }));
    start = end + 1;
  }
  return values;
}

}  // namespace domainfusion
