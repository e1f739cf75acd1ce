#include "domainfusion/nn/autocast.h"

#include <ATen/autocast_mode.h>

#include "domainfusion/core/libtorch_version.h"

namespace domainfusion {
namespace {

namespace autocast = at::autocast;

#if DOMAINFUSION_TORCH_AT_LEAST(2, 4)

bool is_enabled(at::DeviceType type) { return autocast::is_autocast_enabled(type); }
void set_enabled(at::DeviceType type, bool enabled) { autocast::set_autocast_enabled(type, enabled); }
at::ScalarType dtype_on(at::DeviceType type) { return autocast::get_autocast_dtype(type); }
void set_dtype(at::DeviceType type, at::ScalarType dtype) { autocast::set_autocast_dtype(type, dtype); }

#else

bool is_enabled(at::DeviceType type) { return type == at::kCUDA ? autocast::is_enabled() : autocast::is_cpu_enabled(); }
void set_enabled(at::DeviceType type, bool enabled) {
  type == at::kCUDA ? autocast::set_enabled(enabled) : autocast::set_cpu_enabled(enabled);
}
at::ScalarType dtype_on(at::DeviceType type) {
  return type == at::kCUDA ? autocast::get_autocast_gpu_dtype() : autocast::get_autocast_cpu_dtype();
}
void set_dtype(at::DeviceType type, at::ScalarType dtype) {
  type == at::kCUDA ? autocast::set_autocast_gpu_dtype(dtype) : autocast::set_autocast_cpu_dtype(dtype);
}

#endif

thread_local bool small_convolutions = false;

}  // namespace

Autocast::Autocast(const Placement& placement)
    : active_(placement.dtype != at::kFloat), device_(placement.device.type()) {
  if (!active_) return;
  autocast::increment_nesting();
  was_enabled_ = is_enabled(device_);
  old_dtype_ = dtype_on(device_);
  set_dtype(device_, placement.dtype);
  set_enabled(device_, true);
}

Autocast::~Autocast() {
  if (!active_) return;
  set_enabled(device_, was_enabled_);
  set_dtype(device_, old_dtype_);
  // Weights that were cast once for many uses are stale after the next step.
  if (autocast::decrement_nesting() == 0) autocast::clear_cache();
}

BFloat16Convolutions::BFloat16Convolutions(bool active) : before_(small_convolutions) {
  small_convolutions = active || before_;
}

BFloat16Convolutions::~BFloat16Convolutions() { small_convolutions = before_; }

bool BFloat16Convolutions::active() { return small_convolutions; }

bool BFloat16Convolutions::supported() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

Placement active_autocast(at::Device device) {
  return {device, is_enabled(device.type()) ? dtype_on(device.type()) : at::kFloat};
}

}  // namespace domainfusion
