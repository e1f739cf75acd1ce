#include "domainfusion/core/machine/threads.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <dlfcn.h>
#include <omp.h>

#include <algorithm>
#include <chrono>

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/cpus.h"

namespace domainfusion {

int set_threads(int threads) {
  check<ConfigError>(threads >= 0, "threads = {}: expected 0 (all available CPUs) or a positive number", threads);
  const int count = threads == 0 ? available_cpus() : threads;
  set_loop_threads(count);
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
  }
  return best;
}

}  // namespace domainfusion
