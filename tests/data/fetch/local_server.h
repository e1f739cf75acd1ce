#pragma once
// An HTTP server on 127.0.0.1 that serves strings, knows ranges, and can be told to misbehave.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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
  void put(const std::string& name, std::string bytes) {
    const std::lock_guard lock(mutex_);
    files_["/" + name] = std::move(bytes);
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
  // "GET /x", or "GET /x from 100" for a range.
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (int connection; (connection = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(connection)) {
      std::string request;
      char block[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t count = ::recv(connection, block, sizeof(block), 0);
        if (count <= 0) break;
        request.append(block, static_cast<std::size_t>(count));
      }
      const std::string answer = answer_to(request);
      for (std::size_t sent = 0; sent < answer.size();) {
        const ssize_t count = ::send(connection, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
    }
  }

  static std::string field(const std::string& request, const std::string& name) {
    const std::size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t first = at + name.size() + 4;
    return request.substr(first, request.find("\r\n", first) - first);
  }

  std::string answer_to(const std::string& request) {
    const std::lock_guard lock(mutex_);
    const std::string path = request.substr(4, request.find(' ', 4) - 4);
    const auto file = files_.find(path);
    if (file == files_.end()) {
      requests_.push_back("GET " + path);
      return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    }
    const std::string& bytes = file->second;
    const std::string tag = "\"" + std::to_string(std::hash<std::string>()(bytes)) + "\"";
    const std::string range = field(request, "Range"), same = field(request, "If-Range");
    std::size_t first = 0;
    if (knows_ranges_ && range.starts_with("bytes=") && (same.empty() || same == tag))
      first = std::stoull(range.substr(6));
    requests_.push_back("GET " + path + (first > 0 ? " from " + std::to_string(first) : ""));
    const std::string end = "ETag: " + tag + "\r\nConnection: close\r\n\r\n";
    if (first >= bytes.size()) return "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n" + end;
    std::string body = bytes.substr(first);
    std::string head = first > 0
                           ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(first) + "-" +
                                 std::to_string(bytes.size() - 1) + "/" + std::to_string(bytes.size()) + "\r\n"
                           : "HTTP/1.1 200 OK\r\n";
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n" + end;
    if (!cuts_.empty()) {
      body.resize(std::min(body.size(), cuts_.front()));
      cuts_.pop_front();
    }
    return head + body;
  }

  int listener_ = -1, port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::map<std::string, std::string> files_;
  std::deque<std::size_t> cuts_;
  bool knows_ranges_ = true;
  std::vector<std::string> requests_;
};

}  // namespace domainfusion
