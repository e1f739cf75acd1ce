#pragma once
// By which of its addresses this machine is reached from others.

#include <cstdint>
#include <string>

namespace domainfusion {

// The address from which packets to `host` (a name or an address) leave: "10.1.2.3". Nothing is sent. DistributedError:
// the name is not known, or there is no route.
std::string address_towards(const std::string& host);

// The address of a network interface ("eth0"), of IPv4 where it has one. ConfigError that lists those there are.
std::string address_of_interface(const std::string& name);

// A port of this machine that nobody uses now. DistributedError.
std::int64_t free_port();

// 127.0.0.0/8 and ::1: what no other machine reaches.
bool is_loopback(const std::string& address);

}  // namespace domainfusion
