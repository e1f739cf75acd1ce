#include "domainfusion/nn/kernels/parallel_tasks.h"

#include <ATen/Parallel.h>

#include <exception>
#include <mutex>

namespace domainfusion {

void for_each_task(std::int64_t count, const std::function<void(std::int64_t)>& task) {
  std::exception_ptr failure;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic) num_threads(at::get_num_threads()) if (count > 1)
  for (std::int64_t i = 0; i < count; ++i) {
    // An exception must not leave the region.
    try {
      task(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace domainfusion
