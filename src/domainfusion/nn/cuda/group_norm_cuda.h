#pragma once
// Group normalisation and SiLU of frozen networks on a GPU, of maps that lie channels last: libtorch's group norm takes
// them to channels first and back, and SiLU is one more pass over memory.

#include <ATen/core/Tensor.h>

namespace domainfusion {

// Whether group_norm_cuda() serves these maps and weights: float32, float16 or bfloat16 on one GPU, of one type, no
// gradient, a channel count whose pixels are whole 16-byte words. Always false in a build without CUDA.
bool suits_group_norm_cuda(const at::Tensor& x_NChw, const at::Tensor& weight, const at::Tensor& bias);

// silu(group_norm(x)) or group_norm(x). x [N, C, h, w]; weight, bias [C]; groups divides C. Returns [N, C, h, w],
// channels last in memory; sums are taken in float32 about each image's first pixel and joined in double, in a fixed
// order.
at::Tensor group_norm_cuda(const at::Tensor& x_NChw, std::int64_t groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps, bool silu);

}  // namespace domainfusion
