#pragma once
// Starts the ranks of one machine and watches over them.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace domainfusion {

struct LaunchRequest {
  std::vector<std::string> command;          // of each rank; the first word is a path
  std::int64_t ranks = 1;                    // here
  std::int64_t nodes = 1, node = 0;          // machines with as many ranks each, and which of them this one is
  std::string master_address = "127.0.0.1";  // of node 0
  std::int64_t master_port = 0;              // 0: one that is free here
  // So long the other ranks have to end by themselves after one has failed, and again after SIGTERM.
  std::chrono::milliseconds grace{15000};
};

// Returns when all ranks have ended well. The first one's output is this process's; that of the others is kept until
// the end. Where a rank fails the others are ended, and an error with its exit code's meaning tells which one was first
// and its last lines. When should_stop says so they get SIGTERM; Interrupted then. No rank outlives the call, or this
// process.
void launch(const LaunchRequest& request, const std::function<bool()>& should_stop);

}  // namespace domainfusion
