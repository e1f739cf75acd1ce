#include "domainfusion/data/fetch/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>
#include <thread>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr long kConnectSeconds = 30, kStallSeconds = 60, kRedirects = 10;
constexpr long kRangeNotSatisfiable = 416;

fs::path with_ending(const fs::path& file, const char* ending) { return file.string() + ending; }

void start_libcurl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  check<IoError>(started == CURLE_OK, "libcurl cannot be started: {}", curl_easy_strerror(started));
}

// One connection: asks for what lies behind the end of the part file, and appends what comes.
class Transfer {
 public:
  Transfer(const std::string& url, const fs::path& part, const fs::path& tag, const DownloadOptions& options)
      : part_(part), tag_(tag), options_(options), curl_(curl_easy_init(), curl_easy_cleanup) {
    std::error_code none;
    const auto size = fs::file_size(part, none);
    first_ = none ? 0 : static_cast<std::int64_t>(size);
    file_ = ::open(part.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    check<IoError>(file_ >= 0, "{}: cannot be written: {}", part.string(), std::strerror(errno));
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kRedirects);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "domainfusion");
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, kStallSeconds);
    set(CURLOPT_ERRORBUFFER, message_);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_bytes);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, this);
    if (first_ > 0) ask_for_the_rest();
  }
  ~Transfer() {
    curl_slist_free_all(headers_);
    ::close(file_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURLcode run() {
    const CURLcode result = curl_easy_perform(curl_.get());
    check<IoError>(write_error_ == 0, "{}: cannot be written: {}; free space on this disk or choose another folder",
                   part_.string(), std::strerror(write_error_));
    check<IoError>(!too_large_, "the file is larger than the {} bytes allowed", options_.max_bytes);
    return result;
  }
  long status() const {
    long code = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  std::int64_t received() const { return received_; }
  std::string cause(CURLcode result) const { return message_[0] != 0 ? message_ : curl_easy_strerror(result); }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    check<IoError>(curl_easy_setopt(curl_.get(), option, value) == CURLE_OK, "libcurl refuses option {}",
                   static_cast<int>(option));
  }

  void ask_for_the_rest() {
    set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(first_));
    std::string tag;
    std::getline(std::ifstream(tag_), tag);
    if (tag.empty()) return;
    headers_ = curl_slist_append(nullptr, ("If-Range: " + tag).c_str());
    set(CURLOPT_HTTPHEADER, headers_);
  }

  static std::size_t on_header(const char* bytes, std::size_t, std::size_t count, void* self) {
    const std::string_view line(bytes, count);
    constexpr std::string_view kTag = "etag:";
    const bool is_tag = line.size() > kTag.size() && ::strncasecmp(line.data(), kTag.data(), kTag.size()) == 0;
    const std::size_t quote = is_tag ? line.find('"') : std::string_view::npos;
    const std::size_t end = line.rfind('"');
    // A weak tag (W/"…") does not promise equal bytes.
    if (quote != std::string_view::npos && end > quote && line.find("W/") == std::string_view::npos) {
      std::ofstream(static_cast<Transfer*>(self)->tag_) << line.substr(quote, end + 1 - quote);
    }
    return count;
  }

  static std::size_t on_bytes(const char* bytes, std::size_t, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->append({bytes, count}) ? count : 0;
  }

  bool append(std::string_view bytes) {
    too_large_ = first_ + received_ + static_cast<std::int64_t>(bytes.size()) > options_.max_bytes;
    if (too_large_) return false;
    for (std::string_view rest = bytes; !rest.empty();) {
      const ssize_t written = ::write(file_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) write_error_ = errno;
      if (written < 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    received_ += static_cast<std::int64_t>(bytes.size());
    curl_off_t length = -1;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (options_.on_progress) options_.on_progress(first_ + received_, length > 0 ? first_ + length : 0);
    return true;
  }

  const fs::path &part_, &tag_;
  const DownloadOptions& options_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl_;
  curl_slist* headers_ = nullptr;
  char message_[CURL_ERROR_SIZE] = "";
  int file_ = -1, write_error_ = 0;
  bool too_large_ = false;
  std::int64_t first_ = 0, received_ = 0;
};

bool may_get_better(CURLcode result, long status) {
  switch (result) {
    case CURLE_HTTP_RETURNED_ERROR:
      return status >= 500 || status == 408 || status == 429;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

// An empty part is removed; of another one, what to do with it.
std::string_view what_is_kept(const fs::path& part) {
  if (fs::file_size(part) > 0) return "; what has come so far is kept: the same command continues";
  fs::remove(part);
  return "";
}

}  // namespace

void download(const std::string& url, const fs::path& file, const DownloadOptions& options) {
  start_libcurl();
  const fs::path part = with_ending(file, ".part"), tag = with_ending(file, ".part.tag");
  std::int64_t fruitless = 0, wait = options.wait_milliseconds;
  while (true) {
    Transfer transfer(url, part, tag, options);
    const CURLcode result = with_context(url, [&] { return transfer.run(); });
    if (result == CURLE_OK) break;
    const long status = transfer.status();
    const bool cannot_continue =
        result == CURLE_RANGE_ERROR || (result == CURLE_HTTP_RETURNED_ERROR && status == kRangeNotSatisfiable);
    fruitless = transfer.received() > 0 ? 0 : fruitless + 1;
    if ((!cannot_continue && !may_get_better(result, status)) || fruitless >= options.fruitless_tries) {
      throw IoError(fmt::format("{}: {}{}", url, transfer.cause(result), what_is_kept(part)));
    }
    if (cannot_continue) fs::remove(part);
    if (fruitless > 0 && !cannot_continue) {
      std::this_thread::sleep_for(std::chrono::milliseconds(wait));
      wait *= 2;
    }
  }
  std::error_code error;
  fs::remove(tag, error);
  fs::rename(part, file, error);
  check<IoError>(!error, "{}: cannot be put in place: {}", file.string(), error.message());
}

}  // namespace domainfusion
