#include "domainfusion/core/machine/cpus.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/parallel.h"

namespace domainfusion {
namespace {

// Every piece of work waits until `threads` threads are at work, or for ever if there are fewer.
std::size_t threads_at_work(std::size_t threads, std::size_t count) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for_each(count, [&](std::size_t) {
    while (true) {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
      if (seen.size() >= threads) return;
    }
  });
  return seen.size();
}

}  // namespace

TEST(Cpus, LoopsTakeAsManyThreadsAsAreSet) {
  EXPECT_EQ(loop_threads(), available_cpus());
  set_loop_threads(1);
  EXPECT_EQ(threads_at_work(1, 64), 1u);
  set_loop_threads(3);
  EXPECT_EQ(threads_at_work(3, 64), 3u);
  EXPECT_THROW(set_loop_threads(0), ConfigError);
  set_loop_threads(available_cpus());
}

}  // namespace domainfusion
