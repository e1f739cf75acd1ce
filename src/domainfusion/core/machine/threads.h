#pragma once
// One thread option for ATen, OpenMP and OpenBLAS, and a check that matrix products run on a real BLAS.

#include <cstdint>
#include <string>

#include "domainfusion/core/machine/placement.h"

namespace domainfusion {

// CPUs that this process may use (affinity and cgroup quota considered), at least 1.
int available_cpus();

// Sets the threads of every numeric library; 0 means available_cpus(). Returns the number set. Call before the first
// tensor operation. ConfigError if `threads` is negative.
int set_threads(int threads);

// The number that is set now.
int numeric_threads();

// Rate of matrix products [n, n] x [n, n] in GFLOP/s (2 n^3 operations, best of three); for n = 512 in float32 under
// 0.1 s on a real BLAS.
double measure_gemm_gflops(std::int64_t n = 512, const Placement& placement = {});

// Empty if the BLAS is as fast as an optimised one (over 8 GFLOP/s a thread-count-independent floor), else one line
// that says what is slow and which package to install.
std::string slow_blas_warning();

}  // namespace domainfusion
