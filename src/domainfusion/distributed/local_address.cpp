#include "domainfusion/distributed/local_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

std::string text_of_address(const sockaddr* address, socklen_t size) {
  char text[NI_MAXHOST] = {};
  return ::getnameinfo(address, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 ? text : "";
}

// Where packets to this address would leave; empty: nowhere.
std::string source_towards(const addrinfo& target) {
  const int socket = ::socket(target.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return "";
  std::string source;
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  // Connecting a datagram socket chooses the route and sends nothing.
  if (::connect(socket, target.ai_addr, target.ai_addrlen) == 0 &&
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0)
    source = text_of_address(reinterpret_cast<sockaddr*>(&own), size);
  ::close(socket);
  return source;
}

}  // namespace

std::string address_towards(const std::string& host) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  const int failure = ::getaddrinfo(host.c_str(), "9", &hints, &list);
  check<DistributedError>(failure == 0, "the host '{}' is not known: {}", host, ::gai_strerror(failure));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> targets(list, ::freeaddrinfo);
  for (const addrinfo* target = list; target != nullptr; target = target->ai_next) {
    const std::string source = source_towards(*target);
    if (!source.empty()) return source;
  }
  throw DistributedError(fmt::format("there is no route to the host '{}'", host));
}

std::string address_of_interface(const std::string& name) {
  ifaddrs* list = nullptr;
  check<DistributedError>(::getifaddrs(&list) == 0, "the network interfaces cannot be listed: {}",
                          std::strerror(errno));
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> interfaces(list, ::freeifaddrs);
  std::set<std::string> names;
  std::string found;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    const int family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    names.insert(one->ifa_name);
    if (name != one->ifa_name || (!found.empty() && family == AF_INET6)) continue;
    found = text_of_address(one->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  }
  check<ConfigError>(!found.empty(), "--interface {}: there is no such network interface with an address; there are {}",
                     name, fmt::join(names, ", "));
  return found;
}

std::int64_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  const bool found = socket >= 0 && ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (socket >= 0) ::close(socket);
  check<DistributedError>(found, "no free port can be found: name one (MASTER_PORT, --master)");
  return ntohs(address.sin_port);
}

bool is_loopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

}  // namespace domainfusion
