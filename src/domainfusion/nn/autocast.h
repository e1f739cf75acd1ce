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

// While one lives, convolution layers that take gradients on a CPU compute this thread's convolutions in bfloat16, and
// everything else stays float32. Processors with AMX or AVX-512 multiply faster in it. libtorch 1.13's other products
// of that type are not to be trusted there (small ones come out not finite); oneDNN's convolutions are: results and
// gradients are within 4e-3 of float32's, root mean square.
class BFloat16Convolutions {
 public:
  explicit BFloat16Convolutions(bool active);
  ~BFloat16Convolutions();
  BFloat16Convolutions(const BFloat16Convolutions&) = delete;
  BFloat16Convolutions& operator=(const BFloat16Convolutions&) = delete;
  static bool active();
  // Whether this processor has what oneDNN asks for.
  static bool supported();

 private:
  bool before_;
};

// What the objects that live on this thread have set for `device`: its dtype, float32 without any.
Placement active_autocast(at::Device device);

}  // namespace domainfusion
