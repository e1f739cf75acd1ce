#pragma once
// One thread option for ATen, OpenMP, OpenBLAS and this project's loops, and the rate of matrix products.

#include <cstdint>

#include "domainfusion/core/machine/placement.h"

namespace domainfusion {

// Sets the threads of every numeric library and of parallel_for_each(); 0 means available_cpus(). Returns the number
// set. Call before the first tensor operation. ConfigError if `threads` is negative.
int set_threads(int threads);

// The number that is set now.
int numeric_threads();

// Rate of matrix products [n, n] x [n, n] in GFLOP/s (2 n^3 operations, best of three); for n = 512 in float32 under
// 0.1 s on a real BLAS.
double measure_gemm_gflops(std::int64_t n = 512, const Placement& placement = {});

}  // namespace domainfusion
