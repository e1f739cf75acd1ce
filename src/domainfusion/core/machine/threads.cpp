#include "domainfusion/core/machine/threads.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <dlfcn.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr double kSlowBlasGflops = 8.0;

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

int set_threads(int threads) {
  check<ConfigError>(threads >= 0, "threads = {}: expected 0 (all available CPUs) or a positive number", threads);
  const int count = threads == 0 ? available_cpus() : threads;
  omp_set_num_threads(count);
  at::set_num_threads(count);
  // OpenBLAS is a plug-in behind libblas.so.3: its own setter exists only when it is the one that was loaded.
  if (void* setter = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) {
    reinterpret_cast<void (*)(int)>(setter)(count);
  }
  return count;
}

int numeric_threads() { return at::get_num_threads(); }

double measure_gemm_gflops(std::int64_t n, const Placement& placement) {
  // A GPU may multiply constants faster than other numbers.
  const at::Tensor a = at::rand({n, n}).to(placement.device, placement.dtype);
  at::Tensor c = at::mm(a, a);
  synchronize(placement.device);
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    at::mm_out(c, a, a);
    synchronize(placement.device);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2.0 * static_cast<double>(n * n * n) / elapsed.count() * 1e-9);
    if (best < kSlowBlasGflops && i == 0 && elapsed.count() > 1.0) break;
  }
  return best;
}

std::string slow_blas_warning() {
  const double gflops = measure_gemm_gflops();
  if (gflops >= kSlowBlasGflops) return {};
  return fmt::format(
      "matrix products run at {:.1f} GFLOP/s: a slow BLAS is loaded, training would be 30 to 65 times slower. "
      "Remedy: apt-get install libopenblas0-openmp (and, if it persists, update-alternatives --config "
      "libblas.so.3-x86_64-linux-gnu)",
      gflops);
}

}  // namespace domainfusion
