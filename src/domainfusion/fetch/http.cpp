#include "domainfusion/fetch/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <exception>

#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {
namespace {

constexpr long kConnectSeconds = 30, kStallSeconds = 60;
constexpr int kRedirects = 10;
constexpr std::size_t kHeaderBytes = 1 << 16;  // of one line; longer ones are passed over

void start_libcurl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  check<IoError>(started == CURLE_OK, "libcurl cannot be started: {}", curl_easy_strerror(started));
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first));
}

std::int64_t number_or(std::string_view text, std::int64_t otherwise) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end != text.data() && value >= 0 ? value : otherwise;
}

// Scheme, host and port, as text; empty for what is no URL.
std::string origin_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), curl_url_cleanup);
  if (curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  std::string origin;
  for (const CURLUPart part : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    char* text = nullptr;
    if (curl_url_get(parts.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
    origin += std::string(text) + " ";
    curl_free(text);
  }
  return origin;
}

bool may_pass(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string shown_url(std::string_view url) {
  std::string shown(url.substr(0, url.find_first_of("?#")));
  const std::size_t host = shown.find("://");
  if (host == std::string::npos) return readable_text(shown, 400);
  const std::size_t begin = host + 3, end = std::min(shown.find('/', begin), shown.size());
  const std::size_t at = shown.substr(0, end).rfind('@');
  if (at != std::string::npos && at >= begin) shown.erase(begin, at + 1 - begin);
  return readable_text(shown, 400);
}

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::int64_t HttpAnswer::first() const {
  const std::string range = header("content-range");
  constexpr std::string_view kUnit = "bytes ";
  return range.starts_with(kUnit) ? number_or(std::string_view(range).substr(kUnit.size()), 0) : 0;
}

std::int64_t HttpAnswer::total() const {
  const std::string range = header("content-range");
  const std::size_t slash = range.find('/');
  if (slash != std::string::npos) return number_or(std::string_view(range).substr(slash + 1), -1);
  return length;
}

// One request to one address; redirects are followed by HttpConnection.
class HttpConnection::Transfer {
 public:
  Transfer(CURL* curl, const HttpRequest& request, const std::string& url, bool with_token, const Sink& sink)
      : curl_(curl), sink_(sink), shown_(shown_url(url)) {
    answer_.url = url;
    curl_easy_reset(curl);  // connections stay
    set(CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
    set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
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
    if (request.head) set(CURLOPT_NOBODY, 1L);
    if (request.first > 0 || request.last >= 0) ask_for_range(request);
    if (with_token) add_header("Authorization: Bearer " + request.token);
    if (headers_ != nullptr) set(CURLOPT_HTTPHEADER, headers_);
  }
  ~Transfer() { curl_slist_free_all(headers_); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  HttpAnswer run() {
    const CURLcode result = curl_easy_perform(curl_);
    if (thrown_) std::rethrow_exception(thrown_);
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &answer_.status);
    if (result != CURLE_OK) {
      throw HttpError(fmt::format("{}: {}", shown_, message_[0] != 0 ? message_ : curl_easy_strerror(result)), answer_,
                      may_pass(result));
    }
    if (answer_.status >= 400) throw error_of_status();
    return answer_;
  }
  // Empty unless the answer is a redirect.
  std::string redirect() const {
    char* url = nullptr;
    curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &url);
    return url == nullptr ? "" : url;
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    check<IoError>(curl_easy_setopt(curl_, option, value) == CURLE_OK, "libcurl refuses option {}",
                   static_cast<int>(option));
  }

  void add_header(const std::string& line) { headers_ = curl_slist_append(headers_, line.c_str()); }

  void ask_for_range(const HttpRequest& request) {
    set(CURLOPT_RANGE,
        fmt::format("{}-{}", request.first, request.last >= 0 ? std::to_string(request.last) : "").c_str());
    if (!request.if_range.empty()) add_header("If-Range: " + request.if_range);
  }

  HttpError error_of_status() const {
    const long status = answer_.status;
    curl_off_t wait = 0;
    curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &wait);
    const bool may_pass = status >= 500 || status == 408 || status == 429;
    return {fmt::format("{}: the server answers {}", shown_, status), answer_, may_pass, static_cast<double>(wait)};
  }

  static std::size_t on_header(const char* bytes, std::size_t, std::size_t count, void* self) {
    auto& headers = static_cast<Transfer*>(self)->answer_.headers;
    const std::string_view line(bytes, count);
    if (line.starts_with("HTTP/")) headers.clear();  // behind a "100 Continue", or a proxy's answer
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || count > kHeaderBytes) return count;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    headers[name] = trimmed(line.substr(colon + 1));
    return count;
  }

  static std::size_t on_bytes(const char* bytes, std::size_t, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.take({bytes, count}) ? count : 0;
  }

  // Of errors and redirects the body is passed over.
  bool take(std::string_view bytes) {
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &answer_.status);
    if (answer_.status >= 300 || !sink_) return true;
    curl_off_t length = -1;
    curl_easy_getinfo(curl_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    answer_.length = length;
    try {
      sink_(bytes, answer_);
    } catch (...) {
      thrown_ = std::current_exception();
    }
    return !thrown_;
  }

  CURL* curl_;
  const Sink& sink_;
  std::string shown_;
  HttpAnswer answer_;
  curl_slist* headers_ = nullptr;
  char message_[CURL_ERROR_SIZE] = "";
  std::exception_ptr thrown_;
};

HttpConnection::HttpConnection() : curl_(nullptr, curl_easy_cleanup) {
  start_libcurl();
  curl_.reset(curl_easy_init());
  check<IoError>(curl_ != nullptr, "libcurl cannot be started");
}

HttpConnection::~HttpConnection() = default;

HttpAnswer HttpConnection::get(const HttpRequest& request, const Sink& sink) {
  const std::string home = origin_of(request.url);
  std::string url = request.url;
  for (int redirects = 0; redirects <= kRedirects; ++redirects) {
    const bool at_home = !home.empty() && origin_of(url) == home;
    Transfer transfer(curl_.get(), request, url, at_home && !request.token.empty(), sink);
    HttpAnswer answer = transfer.run();
    const std::string next = transfer.redirect();
    if (next.empty() || (request.leave_at_host && origin_of(next) != home)) {
      curl_off_t length = -1;
      curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
      answer.length = length;
      return answer;
    }
    url = next;
  }
  throw HttpError(fmt::format("{}: more than {} redirects", shown_url(request.url), kRedirects), {}, false);
}

}  // namespace domainfusion
