#pragma once
// Which of two ways a layer computes: libtorch's operations, which autograd follows on any device, or this project's
// kernels (nn/kernels), which serve frozen float32 weights on a CPU.

#include <ATen/core/Tensor.h>

namespace domainfusion {

// True where the kernels may compute: all tensors are float32 on the CPU and none of them, nor `weight`, takes a
// gradient.
bool uses_kernels(at::TensorList inputs, const at::Tensor& weight = {});

// True where a layer that brings its own gradient may compute with the kernels.
bool runs_on_kernels(const at::Tensor& input);

// True of 16-bit types on a CPU, where libtorch sums as coarsely as it stores (1.13's group norm of bfloat16 is off by
// 10 % and more): norms and attention are then computed in float32.
bool needs_float32_sums(const at::Tensor& input);

// While one lives, layers use libtorch's operations alone: the plain path of benchmarks and tests. For the whole
// process.
class PlainOperations {
 public:
  PlainOperations();
  ~PlainOperations();
  PlainOperations(const PlainOperations&) = delete;
  PlainOperations& operator=(const PlainOperations&) = delete;
  static bool active();
};

// Feature maps as [N, h, w, C], contiguous: a view where they lie in memory like that, else a copy.
at::Tensor pixels_NhwC(const at::Tensor& maps_NChw);
// The same memory as [N, C, h, w].
inline at::Tensor maps_NChw(const at::Tensor& pixels_NhwC) { return pixels_NhwC.permute({0, 3, 1, 2}); }

}  // namespace domainfusion
