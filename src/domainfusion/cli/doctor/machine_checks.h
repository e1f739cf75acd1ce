#pragma once
// What this program finds of the machine: processor, threads, libraries, GPU, memory, locale.

#include "domainfusion/cli/doctor/finding.h"

namespace domainfusion {

Finding check_processor();
// CPUs of the machine, and how many of them affinity and the cgroup's quota leave.
Finding check_cpus();
// The BLAS that is loaded, and the rate of its products.
Finding check_blas();
Finding check_libtorch();
Finding check_gpu();
// Memory of the machine and of the cgroup.
Finding check_memory();
Finding check_huge_pages();
// Names of files beyond ASCII need UTF-8.
Finding check_locale();

}  // namespace domainfusion
