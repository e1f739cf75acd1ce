#pragma once
// An HTTP server on 127.0.0.1 that serves strings, knows ranges, and can be told to misbehave.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace domainfusion {

class LocalServer {
 public:
  LocalServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0)
      std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~LocalServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url(const std::string& name) const { return "http://127.0.0.1:" + std::to_string(port_) + "/" + name; }
  // `headers`: more lines of the answer ("Name: value\r\n"); an ETag among them takes the place of the usual one.
  void put(const std::string& name, std::string bytes, std::string headers = "") {
    const std::lock_guard lock(mutex_);
    files_["/" + name] = {std::move(bytes), std::move(headers), ""};
  }
  void redirect(const std::string& name, const std::string& url, const std::string& headers = "") {
    const std::lock_guard lock(mutex_);
    files_["/" + name] = {"", headers, url};
  }
  // The next requests for the file are answered so ("429 Too Many Requests").
  void refuse(const std::string& name, std::initializer_list<std::string> statuses, const std::string& headers = "") {
    const std::lock_guard lock(mutex_);
    refusals_["/" + name] = {{statuses.begin(), statuses.end()}, headers};
  }
  // The next connections are cut after so many bytes of their body.
  void cut_after(std::initializer_list<std::size_t> bytes) {
    const std::lock_guard lock(mutex_);
    cuts_.assign(bytes);
  }
  void know_ranges(bool known) {
    const std::lock_guard lock(mutex_);
    knows_ranges_ = known;
  }
  // Sends at most so many bytes in ten milliseconds; 0: no limit.
  void slow_down(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    pace_ = bytes;
  }
  // "GET /x", or "GET /x from 100" and "GET /x from 100 to 199" for a range.
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  // The "Authorization" of each request that had one.
  std::vector<std::string> authorizations() {
    const std::lock_guard lock(mutex_);
    return authorizations_;
  }

 private:
  struct File {
    std::string bytes, headers, redirect;
  };
  struct Refusal {
    std::deque<std::string> statuses;
    std::string headers;
  };

  void serve() {
    for (int connection; (connection = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(connection)) {
      std::string request;
      char block[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t count = ::recv(connection, block, sizeof(block), 0);
        if (count <= 0) break;
        request.append(block, static_cast<std::size_t>(count));
      }
      if (request.find("\r\n\r\n") == std::string::npos) continue;
      send_all(connection, answer_to(request));
    }
  }

  void send_all(int connection, const std::string& answer) {
    for (std::size_t sent = 0; sent < answer.size();) {
      const std::size_t pace = this->pace();
      const std::size_t most = pace > 0 ? std::min(pace, answer.size() - sent) : answer.size() - sent;
      const ssize_t count = ::send(connection, answer.data() + sent, most, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
      if (pace > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::size_t pace() {
    const std::lock_guard lock(mutex_);
    return pace_;
  }

  static std::string field(const std::string& request, const std::string& name) {
    const std::size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t first = at + name.size() + 4;
    return request.substr(first, request.find("\r\n", first) - first);
  }

  static std::string empty_answer(const std::string& status, const std::string& headers = "") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n" + headers + "\r\n";
  }

  std::string answer_to(const std::string& request) {
    const std::lock_guard lock(mutex_);
    const std::string method = request.substr(0, request.find(' '));
    const std::size_t begin = method.size() + 1;
    const std::string path = request.substr(begin, request.find(' ', begin) - begin);
    if (const std::string token = field(request, "Authorization"); !token.empty()) authorizations_.push_back(token);
    const auto file = files_.find(path);
    const auto refusal = refusals_.find(path);
    const bool refused = refusal != refusals_.end() && !refusal->second.statuses.empty();
    if (refused || file == files_.end() || !file->second.redirect.empty()) {
      requests_.push_back(method + " " + path);
      if (!refused && file == files_.end()) return empty_answer("404 Not Found");
      if (!refused)
        return empty_answer("302 Found", "Location: " + file->second.redirect + "\r\n" + file->second.headers);
      const std::string status = refusal->second.statuses.front();
      refusal->second.statuses.pop_front();
      return empty_answer(status, refusal->second.headers);
    }
    return file_answer(method, path, request, file->second);
  }

  std::string file_answer(const std::string& method, const std::string& path, const std::string& request,
                          const File& file) {
    const std::string& bytes = file.bytes;
    const std::string tag = "\"" + std::to_string(std::hash<std::string>()(bytes)) + "\"";
    const std::string range = field(request, "Range"), same = field(request, "If-Range");
    std::size_t first = 0, end = bytes.size();
    const bool ranged = knows_ranges_ && range.starts_with("bytes=") && (same.empty() || same == tag);
    if (ranged) {
      first = std::stoull(range.substr(6));
      const std::string last = range.substr(range.find('-') + 1);
      if (!last.empty()) end = std::min<std::size_t>(end, std::stoull(last) + 1);
    }
    requests_.push_back(method + " " + path +
                        (first > 0 || end < bytes.size() ? " from " + std::to_string(first) : "") +
                        (end < bytes.size() ? " to " + std::to_string(end - 1) : ""));
    const bool own_tag = file.headers.find("ETag: ") == 0 || file.headers.find("\nETag: ") != std::string::npos;
    const std::string headers = file.headers + (own_tag ? "" : "ETag: " + tag + "\r\n") + "Connection: close\r\n\r\n";
    if (ranged && first >= bytes.size()) return "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n" + headers;
    std::string body = bytes.substr(first, end - first);
    std::string head = ranged ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(first) + "-" +
                                    std::to_string(end - 1) + "/" + std::to_string(bytes.size()) + "\r\n"
                              : "HTTP/1.1 200 OK\r\n";
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n" + headers;
    if (method == "HEAD") return head;
    if (!cuts_.empty()) {
      body.resize(std::min(body.size(), cuts_.front()));
      cuts_.pop_front();
    }
    return head + body;
  }

  int listener_ = -1, port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::map<std::string, File> files_;
  std::map<std::string, Refusal> refusals_;
  std::deque<std::size_t> cuts_;
  bool knows_ranges_ = true;
  std::size_t pace_ = 0;
  std::vector<std::string> requests_, authorizations_;
};

}  // namespace domainfusion
