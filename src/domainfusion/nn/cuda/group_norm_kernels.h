#pragma once
// The launches behind group_norm_cuda(), free of libtorch's headers, which nvcc takes minutes over.

#include <cuda_runtime_api.h>

#include <cstdint>

namespace domainfusion {

enum class GpuFloat { kFloat32, kFloat16, kBfloat16 };

// One 16-byte word of a pixel is read by one thread.
constexpr std::int64_t kWordBytes = 16;
// A block has a thread for each word of a pixel, and sums for each channel in shared memory.
constexpr std::int64_t kMaxWordsPerPixel = 640;

struct GroupNormLaunch {
  GpuFloat type;
  const void* x;       // [images, pixels, channels], 16-byte aligned
  const void* weight;  // [channels]
  const void* bias;
  void* out;      // like x
  float* sums;    // [images, chunks, 2, channels], scratch
  float* affine;  // [images, 2, channels], scratch
  std::int64_t images, pixels, channels, groups, chunks;
  double eps;
  bool silu;
};

// Three kernels on `stream`; the first failure among their launches, else cudaSuccess.
cudaError_t launch_group_norm(const GroupNormLaunch& launch, cudaStream_t stream);

}  // namespace domainfusion
