#pragma once
// Independent pieces of work on several CPUs, for code that knows no libtorch.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "domainfusion/core/machine/cpus.h"

namespace domainfusion {

// Calls work(i) for every i below `count`, each once, from loop_threads() threads. Rethrows the first exception after
// all threads have ended; what was not begun by then is left out.
template <class Work>
void parallel_for_each(std::size_t count, Work work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr error;
  std::mutex mutex;
  const auto run = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      next = count;
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::size_t wanted = std::min(count, static_cast<std::size_t>(loop_threads()));
    for (std::size_t t = 1; t < wanted; ++t) threads.emplace_back(run);
    run();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace domainfusion
