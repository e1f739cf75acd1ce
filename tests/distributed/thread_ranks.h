#pragma once
// Ranks that are threads of the test.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/distributed/ranks.h"

namespace domainfusion {

inline int free_test_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

// Does `work` on `size` threads at once, each a rank. Returns what went wrong on each; empty: nothing.
inline std::vector<std::string> on_ranks(int size, const std::function<void(Ranks&)>& work,
                                         const RankSettings& settings = {std::chrono::seconds(60)}) {
  const int port = free_test_port();
  std::vector<std::string> faults(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        const auto ranks = join_ranks({rank, size, rank, size, "127.0.0.1", port}, settings);
        const RanksScope scope(ranks.get());
        work(*ranks);
        ranks->finish();
      } catch (const std::exception& error) {
        faults[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return faults;
}

inline void expect_no_faults(const std::vector<std::string>& faults) {
  for (const std::string& fault : faults) EXPECT_EQ(fault, "");
}

}  // namespace domainfusion
