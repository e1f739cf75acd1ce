#pragma once
// Requests over HTTP(S).

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "domainfusion/core/error.h"

namespace domainfusion {

// `url` for messages: without a user's name and password, and without the query, in which signed addresses keep theirs.
std::string shown_url(std::string_view url);

struct HttpRequest {
  std::string url;
  bool head = false;           // headers alone
  std::int64_t first = 0;      // asks for the bytes from here
  std::int64_t last = -1;      // to here; -1: to the end
  std::string if_range = {};   // an ETag: another version is sent whole
  std::string token = {};      // "Authorization: Bearer"; goes to the host, port and scheme of `url` alone
  bool leave_at_host = false;  // a redirect to another host is the answer
};

struct HttpAnswer {
  long status = 0;                             // 0: there was none
  std::string url;                             // where it came from
  std::map<std::string, std::string> headers;  // by lower-case names
  std::int64_t length = -1;                    // of the body; -1: not known

  std::string header(const std::string& name) const;  // empty where it is absent
  std::int64_t first() const;  // place of the body's first byte in the file: of "bytes 5-9/10" 5, else 0
  std::int64_t total() const;  // bytes of the whole file; -1: not known
};

// No answer, one that broke off, or a status of 400 and more.
class HttpError : public IoError {
 public:
  // retry_after_s: what the server asks for; 0: nothing.
  HttpError(const std::string& message, HttpAnswer answer, bool may_get_better, double retry_after_s = 0)
      : IoError(message), answer_(std::move(answer)), may_get_better_(may_get_better), retry_after_s_(retry_after_s) {}
  const HttpAnswer& answer() const { return answer_; }
  bool may_get_better() const { return may_get_better_; }  // a later try may succeed
  double retry_after_s() const { return retry_after_s_; }

 private:
  HttpAnswer answer_;
  bool may_get_better_;
  double retry_after_s_;
};

// Keeps its connection from request to request. For one thread at a time.
class HttpConnection {
 public:
  // Takes the bytes of a body as they come; what it throws ends the request and leaves it.
  using Sink = std::function<void(std::string_view bytes, const HttpAnswer& answer)>;

  HttpConnection();
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Redirects are followed, also to other hosts. HttpError, whose message begins with shown_url().
  HttpAnswer get(const HttpRequest& request, const Sink& sink = {});

 private:
  class Transfer;
  std::unique_ptr<void, void (*)(void*)> curl_;
};

}  // namespace domainfusion
