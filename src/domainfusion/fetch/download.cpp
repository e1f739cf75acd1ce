#include "domainfusion/fetch/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/fetch/http.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr long kPartialContent = 206, kRangeNotSatisfiable = 416;
constexpr double kLongestWaitSeconds = 600;
constexpr std::int64_t kRoomLeft = std::int64_t{64} << 20;

// The beginning of a file, which grows.
class PartFile {
 public:
  explicit PartFile(fs::path path) : path_(std::move(path)) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    check<IoError>(file_ >= 0, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
    size_ = static_cast<std::int64_t>(fs::file_size(path_));
  }
  ~PartFile() { ::close(file_); }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  std::int64_t size() const { return size_; }
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      check<IoError>(written > 0, "{}: cannot be written: {}; free space on this disk or choose another folder",
                     path_.string(), std::strerror(errno));
      size_ += written;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void restart() {
    check<IoError>(::ftruncate(file_, 0) == 0, "{}: cannot be emptied: {}", path_.string(), std::strerror(errno));
    size_ = 0;
  }

 private:
  fs::path path_;
  int file_ = -1;
  std::int64_t size_ = 0;
};

// The ETag that a part's bytes came under; none where the path is empty.
class VersionTag {
 public:
  explicit VersionTag(fs::path path) : path_(std::move(path)) {}

  std::string read() const {
    std::string tag;
    if (!path_.empty()) std::getline(std::ifstream(path_), tag);
    return tag;
  }
  // A weak tag (W/"…") does not promise equal bytes.
  void keep(const std::string& tag) const {
    if (!path_.empty() && tag.starts_with('"')) std::ofstream(path_) << tag;
  }

 private:
  fs::path path_;
};

// Appends what lies behind the end of the part, on one connection at a time.
void append_rest(const std::string& url, PartFile& part, const VersionTag& tag, const DownloadOptions& options) {
  HttpConnection connection;
  Patience patience(options);
  for (bool done = false; !done;) {
    const std::int64_t before = part.size();
    bool begun = false;
    const auto take = [&](std::string_view bytes, const HttpAnswer& answer) {
      if (!begun && answer.first() == 0) part.restart();
      check<IoError>(begun || answer.first() == part.size(), "{}: sends the bytes from {} on, asked for those from {}",
                     shown_url(url), answer.first(), part.size());
      if (!begun) tag.keep(answer.header("etag"));
      begun = true;
      check<IoError>(part.size() + static_cast<std::int64_t>(bytes.size()) <= options.max_bytes,
                     "{}: the file is larger than the {} bytes allowed", shown_url(url), options.max_bytes);
      part.append(bytes);
      if (options.on_progress) options.on_progress(part.size(), std::max<std::int64_t>(0, answer.total()));
    };
    try {
      const HttpAnswer answer = connection.get(
          {.url = url, .first = before, .if_range = before > 0 ? tag.read() : "", .token = options.token}, take);
      if (!begun && answer.status != kPartialContent) part.restart();  // an empty file
      done = true;
    } catch (const HttpError& error) {
      if (error.answer().status == kRangeNotSatisfiable && before > 0) {
        part.restart();
      } else {
        patience.after(error, begun);
      }
    }
  }
}

// The server sends a file whole where a range was asked for.
struct NoRanges {};

class Ranges {
 public:
  Ranges(const std::string& url, PartFile& part, std::int64_t bytes, const DownloadOptions& options)
      : url_(url), part_(part), bytes_(bytes), options_(options), next_(part.size()) {}

  void run() {
    const std::int64_t ranges = (bytes_ - part_.size() + options_.range_bytes - 1) / options_.range_bytes;
    std::vector<std::thread> threads;
    try {
      for (std::int64_t i = 1; i < std::min<std::int64_t>(options_.connections, ranges); ++i)
        threads.emplace_back([this] { work(); });
    } catch (const std::system_error&) {  // fewer threads will do
    }
    work();
    for (std::thread& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  struct Stopped {};

  void work() {
    try {
      HttpConnection connection;
      std::string source = url_;
      while (const auto first = next()) append(*first, bring(connection, source, *first));
    } catch (const Stopped&) {
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      changed_.notify_all();
    }
  }

  std::optional<std::int64_t> next() {
    const std::lock_guard lock(mutex_);
    if (error_ || next_ >= bytes_) return std::nullopt;
    return std::exchange(next_, next_ + options_.range_bytes);
  }

  void stop_if_failed() {
    const std::lock_guard lock(mutex_);
    if (error_) throw Stopped();
  }

  // The range that begins at `first`. `source` becomes the address that the server redirects to, for the ranges that
  // follow; such an address may expire.
  std::string bring(HttpConnection& connection, std::string& source, std::int64_t first) {
    const std::int64_t end = std::min(first + options_.range_bytes, bytes_);
    std::string range;
    range.reserve(static_cast<std::size_t>(end - first));
    Patience patience(options_);
    while (first + static_cast<std::int64_t>(range.size()) < end) {
      const std::int64_t from = first + static_cast<std::int64_t>(range.size());
      const auto take = [&](std::string_view bytes, const HttpAnswer& answer) {
        stop_if_failed();
        if (answer.status != kPartialContent) throw NoRanges();
        check<FormatError>(answer.total() == bytes_, "{}: has {} bytes, expected {}", shown_url(url_), answer.total(),
                           bytes_);
        const auto room = end - first - static_cast<std::int64_t>(range.size());
        check<IoError>(answer.first() == from && static_cast<std::int64_t>(bytes.size()) <= room,
                       "{}: sends other bytes than were asked for", shown_url(url_));
        range += bytes;
      };
      try {
        const bool at_home = source == url_;
        source = connection
                     .get({.url = source, .first = from, .last = end - 1, .token = at_home ? options_.token : ""}, take)
                     .url;
        if (first + static_cast<std::int64_t>(range.size()) < end)
          throw HttpError(shown_url(url_) + ": sends less than was asked for", {}, true);
      } catch (const HttpError& error) {
        const bool expired = source != url_ && error.answer().status >= 400 && error.answer().status < 500;
        source = url_;
        if (!expired) patience.after(error, first + static_cast<std::int64_t>(range.size()) > from);
      }
    }
    return range;
  }

  void append(std::int64_t first, const std::string& range) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return error_ || part_.size() == first; });
    if (error_) return;
    part_.append(range);
    if (options_.on_progress) options_.on_progress(part_.size(), bytes_);
    changed_.notify_all();
  }

  const std::string& url_;
  PartFile& part_;
  std::int64_t bytes_;
  const DownloadOptions& options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t next_;
  std::exception_ptr error_;
};

// An error of the transfer says what becomes of the part: an empty one is removed.
template <class Action>
void with_kept_part(const fs::path& path, Action action) {
  try {
    action();
  } catch (const HttpError& error) {
    std::error_code none;
    const bool kept = fs::exists(path) && fs::file_size(path) > 0;
    if (!kept) fs::remove(path, none);
    throw HttpError(
        fmt::format("{}{}", error.what(), kept ? "; what has come so far is kept: the same command continues" : ""),
        error.answer(), error.may_get_better(), error.retry_after_s());
  }
}

}  // namespace

void Patience::after(const HttpError& error, bool brought_bytes) {
  fruitless_ = brought_bytes ? 0 : fruitless_ + 1;
  const double asked_s = error.retry_after_s();
  if (!error.may_get_better() || fruitless_ >= options_.fruitless_tries) throw error;
  if (asked_s > kLongestWaitSeconds)
    throw IoError(fmt::format("{}, and asks to come back in {:.0f} s", error.what(), asked_s));
  if (fruitless_ == 0) return;
  const double wait_s = std::max(asked_s, static_cast<double>(wait_ms_) / 1e3);
  wait_ms_ *= 2;
  if (wait_s >= 1) log_info("{}; trying again in {:.0f} s", error.what(), wait_s);
  std::this_thread::sleep_for(std::chrono::duration<double>(wait_s));
}

std::string bytes_text(std::int64_t bytes) {
  constexpr double kStep = 1000;
  if (bytes < static_cast<std::int64_t>(kStep)) return fmt::format("{} bytes", bytes);
  double size = static_cast<double>(bytes) / kStep;
  const char* unit = "kB";
  for (const char* larger : {"MB", "GB", "TB"}) {
    if (size < kStep) break;
    size /= kStep;
    unit = larger;
  }
  return size < 10 ? fmt::format("{:.1f} {}", size, unit) : fmt::format("{:.0f} {}", size, unit);
}

void check_room(const fs::path& folder, std::int64_t bytes, const std::string& remedy) {
  std::error_code unknown;
  const fs::space_info space = fs::space(folder, unknown);
  if (unknown || bytes <= 0) return;
  check<IoError>(bytes <= static_cast<std::int64_t>(space.available) - kRoomLeft,
                 "{}: {} come, and the disk has {} left: free space, or {}", folder.string(), bytes_text(bytes),
                 bytes_text(static_cast<std::int64_t>(space.available)), remedy);
}

void download(const std::string& url, const fs::path& file, const DownloadOptions& options, const std::string& sha256) {
  const fs::path part = file.string() + ".part", tag = part.string() + ".tag";
  with_kept_part(part, [&] {
    PartFile growing(part);
    append_rest(url, growing, VersionTag(tag), options);
  });
  std::error_code error;
  fs::remove(tag, error);
  if (!sha256.empty()) {
    const std::string found = sha256_hex_of_file(part);
    if (!found.starts_with(sha256)) fs::remove(part, error);
    check<FormatError>(found.starts_with(sha256),
                       "{}: SHA-256 {}, expected {}…: it was broken on its way, or is another file; what came is "
                       "removed",
                       shown_url(url), found, sha256);
  }
  fs::rename(part, file, error);
  check<IoError>(!error, "{}: cannot be put in place: {}", file.string(), error.message());
}

void download_shown(const std::string& url, const fs::path& file, const DownloadOptions& options,
                    const std::string& sha256) {
  constexpr double kMegabyte = 1e6;
  std::unique_ptr<Progress> progress;
  DownloadOptions shown = options;
  shown.on_progress = [&](std::int64_t done, std::int64_t total) {
    if (!progress && total > 0) progress = std::make_unique<Progress>("download", total, "MB", 1 / kMegabyte);
    if (progress) progress->update(done);
  };
  download(url, file, shown, sha256);
  if (progress) progress->finish();
}

void download_ranges(const std::string& url, const fs::path& part, std::int64_t bytes, const DownloadOptions& options) {
  check<IoError>(bytes <= options.max_bytes, "{}: the file is larger than the {} bytes allowed", shown_url(url),
                 options.max_bytes);
  with_kept_part(part, [&] {
    PartFile growing(part);
    if (growing.size() > bytes) growing.restart();
    DownloadOptions whole = options;
    whole.max_bytes = bytes;
    const bool one_range = bytes - growing.size() <= options.range_bytes;
    try {
      if (!one_range) Ranges(url, growing, bytes, options).run();
    } catch (const NoRanges&) {
    }
    if (growing.size() < bytes) append_rest(url, growing, VersionTag({}), whole);
    check<FormatError>(growing.size() == bytes, "{}: has {} bytes, expected {}", shown_url(url), growing.size(), bytes);
  });
}

}  // namespace domainfusion
