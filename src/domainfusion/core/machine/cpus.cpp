#include "domainfusion/core/machine/cpus.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

std::atomic<int> threads_of_loops = 0;  // 0: not set

// CPUs that the cgroup's quota allows, rounded up; 0 where there is no limit.
int cgroup_cpus() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::max(1, static_cast<int>(std::ceil(std::atof(quota.c_str()) / period)));
}

}  // namespace

int available_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  int count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
  if (const int limit = cgroup_cpus(); limit > 0) count = std::min(count, limit);
  return std::max(1, count);
}

int loop_threads() {
  const int threads = threads_of_loops;
  return threads > 0 ? threads : available_cpus();
}

void set_loop_threads(int threads) {
  check<ConfigError>(threads > 0, "{} threads for loops: expected a positive number", threads);
  threads_of_loops = threads;
}

}  // namespace domainfusion
