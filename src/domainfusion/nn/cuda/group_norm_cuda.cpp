#include "domainfusion/nn/cuda/group_norm_cuda.h"

#include <torch/types.h>

#ifdef DOMAINFUSION_CUDA
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "domainfusion/nn/cuda/group_norm_kernels.h"
#include "domainfusion/nn/inference.h"
#endif

namespace domainfusion {

#ifdef DOMAINFUSION_CUDA

namespace {

// Enough blocks to fill a GPU, each with pixels enough to be worth its sums.
constexpr std::int64_t kMaxChunks = 64, kMinPixelsPerChunk = 16;
constexpr std::int64_t kMaxImages = 65535;  // of a launch

bool is_gpu_float(at::ScalarType type) { return type == at::kFloat || type == at::kHalf || type == at::kBFloat16; }

GpuFloat gpu_float(at::ScalarType type) {
  if (type == at::kHalf) return GpuFloat::kFloat16;
  return type == at::kBFloat16 ? GpuFloat::kBfloat16 : GpuFloat::kFloat32;
}

}  // namespace

bool suits_group_norm_cuda(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!x.is_cuda() || x.dim() != 4 || x.numel() == 0 || !is_gpu_float(x.scalar_type()) || PlainOperations::active())
    return false;
  const auto fits = [&](const at::Tensor& values) {
    return values.device() == x.device() && values.scalar_type() == x.scalar_type() && values.is_contiguous();
  };
  const bool graph =
      at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad() || bias.requires_grad());
  const std::int64_t bytes = x.size(1) * static_cast<std::int64_t>(x.element_size());
  const bool whole_words = bytes % kWordBytes == 0 && reinterpret_cast<std::uintptr_t>(x.data_ptr()) % kWordBytes == 0;
  return fits(weight) && fits(bias) && !graph && whole_words && bytes / kWordBytes <= kMaxWordsPerPixel &&
         x.size(0) <= kMaxImages;
}

at::Tensor group_norm_cuda(const at::Tensor& x_NChw, std::int64_t groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps, bool silu) {
  const c10::cuda::CUDAGuard on_device(x_NChw.device());
  const at::Tensor x = x_NChw.contiguous(at::MemoryFormat::ChannelsLast), out = at::empty_like(x);
  const std::int64_t images = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
  const std::int64_t chunks = std::clamp<std::int64_t>(pixels / kMinPixelsPerChunk, 1, kMaxChunks);
  const at::Tensor sums = at::empty({images, chunks, 2, channels}, x.options().dtype(at::kFloat));
  const at::Tensor affine = at::empty({images, 2, channels}, sums.options());
  C10_CUDA_CHECK(launch_group_norm({.type = gpu_float(x.scalar_type()),
                                    .x = x.data_ptr(),
                                    .weight = weight.data_ptr(),
                                    .bias = bias.data_ptr(),
                                    .out = out.data_ptr(),
                                    .sums = sums.data_ptr<float>(),
                                    .affine = affine.data_ptr<float>(),
                                    .images = images,
                                    .pixels = pixels,
                                    .channels = channels,
                                    .groups = groups,
                                    .chunks = chunks,
                                    .eps = eps,
                                    .silu = silu},
                                   c10::cuda::getCurrentCUDAStream()));
  return out;
}

#else

bool suits_group_norm_cuda(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return false; }

at::Tensor group_norm_cuda(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                           double eps, bool silu) {
  const at::Tensor y = at::group_norm(x, groups, weight, bias, eps);
  return silu ? at::silu(y) : y;
}

#endif

}  // namespace domainfusion
