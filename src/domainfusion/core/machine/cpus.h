#pragma once
// How many CPUs this process may use, and how many threads its loops take.

namespace domainfusion {

// CPUs that this process may use (affinity and cgroup quota considered), at least 1.
int available_cpus();

// Threads of parallel_for_each(): available_cpus() unless set. ConfigError unless positive.
int loop_threads();
void set_loop_threads(int threads);

}  // namespace domainfusion
