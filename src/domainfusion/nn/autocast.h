#pragma once
// Mixed precision: while an object lives, libtorch computes products and convolutions of this thread in a smaller type
// and what needs range (sums, norms, losses) in float32; weights and their gradients stay float32 (Micikevicius et al.,
// 2018).

#include "domainfusion/core/machine/placement.h"

namespace domainfusion {

class Autocast {
 public:
  // placement.dtype float32: nothing changes. Objects may be nested.
  explicit Autocast(const Placement& placement);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool active_ = false, was_enabled_ = false;
  at::DeviceType device_ = at::kCPU;
  at::ScalarType old_dtype_ = at::kFloat;
};

// What the objects that live on this thread have set for `device`: its dtype, float32 without any.
Placement active_autocast(at::Device device);

}  // namespace domainfusion
