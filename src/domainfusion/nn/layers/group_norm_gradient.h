#pragma once
// Group normalisation and SiLU in training on a CPU: one pass over memory forwards and two backwards, where libtorch's
// separate operations take several each.

#include <ATen/core/Tensor.h>

namespace domainfusion {

// silu(group_norm(x)) or group_norm(x), differentiable once. x [N, C, h, w] float32 on the CPU; weight, bias [C];
// groups divides C.
at::Tensor group_norm_with_gradient(const at::Tensor& x_NChw, std::int64_t groups, const at::Tensor& weight,
                                    const at::Tensor& bias, double eps, bool silu);

}  // namespace domainfusion
