#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "domainfusion/nn/cuda/group_norm_kernels.h"

namespace domainfusion {
namespace {

constexpr int kThreads = 256;       // of a block, about
constexpr int kGroupThreads = 128;  // a power of two

__device__ float to_float(float value) { return value; }
__device__ float to_float(__half value) { return __half2float(value); }
__device__ float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ void assign(float& to, float value) { to = value; }
__device__ void assign(__half& to, float value) { to = __float2half_rn(value); }
__device__ void assign(__nv_bfloat16& to, float value) { to = __float2bfloat16_rn(value); }

// What one thread reads and writes at once.
template <class T>
struct alignas(kWordBytes) Word {
  static constexpr int kSize = kWordBytes / sizeof(T);
  T values[kSize];
};

// The pixels that a block works on: `count` from `first`, of image blockIdx.y.
struct Chunk {
  __device__ Chunk(std::int64_t pixels, std::int64_t chunks) {
    const std::int64_t size = (pixels + chunks - 1) / chunks;
    first = blockIdx.x * size;
    end = min(first + size, pixels);
  }
  std::int64_t first, end;
};

// Per channel of a chunk: sum of (x - x0) and of its square, with x0 the image's first pixel. blockDim: (words of a
// pixel, rows).
template <class T>
__global__ void sum_chunks(const Word<T>* x, float* sums, std::int64_t pixels, std::int64_t chunks) {
  using W = Word<T>;
  extern __shared__ float shared[];  // [rows, 2, channels]
  const std::int64_t words = blockDim.x, channels = words * W::kSize;
  const Chunk chunk(pixels, chunks);
  const W* image = x + blockIdx.y * pixels * words;
  const W origin = image[threadIdx.x];
  float sum[W::kSize] = {}, square[W::kSize] = {};
  for (std::int64_t pixel = chunk.first + threadIdx.y; pixel < chunk.end; pixel += blockDim.y) {
    const W word = image[pixel * words + threadIdx.x];
#pragma unroll
    for (int i = 0; i < W::kSize; ++i) {
      const float d = to_float(word.values[i]) - to_float(origin.values[i]);
      sum[i] += d;
      square[i] += d * d;
    }
  }
  float* own = shared + threadIdx.y * 2 * channels + threadIdx.x * W::kSize;
#pragma unroll
  for (int i = 0; i < W::kSize; ++i) {
    own[i] = sum[i];
    own[channels + i] = square[i];
  }
  __syncthreads();
  float* out = sums + (blockIdx.y * chunks + blockIdx.x) * 2 * channels;
  for (std::int64_t i = threadIdx.y * words + threadIdx.x; i < 2 * channels; i += blockDim.x * blockDim.y) {
    float total = 0;
    for (int row = 0; row < blockDim.y; ++row) total += shared[row * 2 * channels + i];
    out[i] = total;
  }
}

// The sum over the block of one value per thread, for all threads.
__device__ double sum_of_block(double value) {
  __shared__ double parts[kGroupThreads];
  __syncthreads();
  parts[threadIdx.x] = value;
  for (int half = kGroupThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
  }
  __syncthreads();
  return parts[0];
}

// Mean and standard deviation of group blockIdx.x of image blockIdx.y, as a factor and a summand per channel.
template <class T>
__global__ void find_affine(const T* x, const float* sums, const T* weight, const T* bias, float* affine,
                            std::int64_t pixels, std::int64_t channels, std::int64_t chunks, double eps) {
  const std::int64_t size = channels / gridDim.x, first = blockIdx.x * size;
  const T* origin = x + blockIdx.y * pixels * channels;
  const float* image = sums + blockIdx.y * chunks * 2 * channels;
  const double count = static_cast<double>(pixels);
  // Mean of a channel, and sum of squares about it.
  const auto moments = [&](std::int64_t channel, double& mean, double& about_mean) {
    double sum = 0, square = 0;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      sum += image[chunk * 2 * channels + channel];
      square += image[chunk * 2 * channels + channels + channel];
    }
    mean = to_float(origin[channel]) + sum / count;
    about_mean = square - sum * sum / count;
  };
  double means = 0;
  for (std::int64_t i = threadIdx.x; i < size; i += kGroupThreads) {
    double mean, about_mean;
    moments(first + i, mean, about_mean);
    means += mean;
  }
  const double group_mean = sum_of_block(means) / static_cast<double>(size);
  double squares = 0;
  for (std::int64_t i = threadIdx.x; i < size; i += kGroupThreads) {
    double mean, about_mean;
    moments(first + i, mean, about_mean);
    squares += about_mean + count * (mean - group_mean) * (mean - group_mean);
  }
  const double variance = max(sum_of_block(squares), 0.0) / (count * static_cast<double>(size));
  const double inverse = rsqrt(variance + eps);
  float* own = affine + blockIdx.y * 2 * channels + first;
  for (std::int64_t i = threadIdx.x; i < size; i += kGroupThreads) {
    const double scale = inverse * to_float(weight[first + i]);
    own[i] = static_cast<float>(scale);
    own[channels + i] = static_cast<float>(to_float(bias[first + i]) - group_mean * scale);
  }
}

template <class T, bool silu>
__global__ void apply_affine(const Word<T>* x, const float* affine, Word<T>* out, std::int64_t pixels,
                             std::int64_t chunks) {
  using W = Word<T>;
  const std::int64_t words = blockDim.x, channels = words * W::kSize;
  const Chunk chunk(pixels, chunks);
  float scale[W::kSize], shift[W::kSize];
  const float* own = affine + blockIdx.y * 2 * channels + threadIdx.x * W::kSize;
#pragma unroll
  for (int i = 0; i < W::kSize; ++i) {
    scale[i] = own[i];
    shift[i] = own[channels + i];
  }
  const std::int64_t image = blockIdx.y * pixels * words;
  for (std::int64_t pixel = chunk.first + threadIdx.y; pixel < chunk.end; pixel += blockDim.y) {
    const std::int64_t at = image + pixel * words + threadIdx.x;
    W word = x[at];
#pragma unroll
    for (int i = 0; i < W::kSize; ++i) {
      const float y = to_float(word.values[i]) * scale[i] + shift[i];
      assign(word.values[i], silu ? y / (1 + expf(-y)) : y);
    }
    out[at] = word;
  }
}

template <class T>
cudaError_t launch(const GroupNormLaunch& l, cudaStream_t stream) {
  const auto words = static_cast<unsigned>(l.channels / Word<T>::kSize);
  const dim3 threads(words, std::max(1u, kThreads / words));
  const dim3 blocks(static_cast<unsigned>(l.chunks), static_cast<unsigned>(l.images));
  const auto* x = static_cast<const Word<T>*>(l.x);
  auto* out = static_cast<Word<T>*>(l.out);
  sum_chunks<T><<<blocks, threads, threads.y * 2 * l.channels * sizeof(float), stream>>>(x, l.sums, l.pixels, l.chunks);
  find_affine<T><<<dim3(static_cast<unsigned>(l.groups), static_cast<unsigned>(l.images)), kGroupThreads, 0, stream>>>(
      static_cast<const T*>(l.x), l.sums, static_cast<const T*>(l.weight), static_cast<const T*>(l.bias), l.affine,
      l.pixels, l.channels, l.chunks, l.eps);
  (l.silu ? apply_affine<T, true> : apply_affine<T, false>)<<<blocks, threads, 0, stream>>>(x, l.affine, out, l.pixels,
                                                                                            l.chunks);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_group_norm(const GroupNormLaunch& l, cudaStream_t stream) {
  if (l.type == GpuFloat::kFloat16) return launch<__half>(l, stream);
  return l.type == GpuFloat::kBfloat16 ? launch<__nv_bfloat16>(l, stream) : launch<float>(l, stream);
}

}  // namespace domainfusion
