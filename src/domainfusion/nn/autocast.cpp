#include "domainfusion/nn/autocast.h"

#include <ATen/autocast_mode.h>

namespace domainfusion {

namespace autocast = at::autocast;

Autocast::Autocast(const Placement& placement)
    : active_(placement.dtype != at::kFloat), cuda_(placement.device.is_cuda()) {
  if (!active_) return;
  autocast::increment_nesting();
  was_enabled_ = cuda_ ? autocast::is_enabled() : autocast::is_cpu_enabled();
  old_dtype_ = cuda_ ? autocast::get_autocast_gpu_dtype() : autocast::get_autocast_cpu_dtype();
  cuda_ ? autocast::set_autocast_gpu_dtype(placement.dtype) : autocast::set_autocast_cpu_dtype(placement.dtype);
  cuda_ ? autocast::set_enabled(true) : autocast::set_cpu_enabled(true);
}

Autocast::~Autocast() {
  if (!active_) return;
  cuda_ ? autocast::set_enabled(was_enabled_) : autocast::set_cpu_enabled(was_enabled_);
  cuda_ ? autocast::set_autocast_gpu_dtype(old_dtype_) : autocast::set_autocast_cpu_dtype(old_dtype_);
  // Weights that were cast once for many uses are stale after the next step.
  if (autocast::decrement_nesting() == 0) autocast::clear_cache();
}

Placement active_autocast(at::Device device) {
  const bool cuda = device.is_cuda();
  if (!(cuda ? autocast::is_enabled() : autocast::is_cpu_enabled())) return {device, at::kFloat};
  return {device, cuda ? autocast::get_autocast_gpu_dtype() : autocast::get_autocast_cpu_dtype()};
}

}  // namespace domainfusion
