#include "domainfusion/core/machine/placement.h"

#include <ATen/core/Tensor.h>
#include <torch/cuda.h>

#ifdef DOMAINFUSION_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

#include <array>
#include <cstdlib>

#include "domainfusion/core/error.h"
#include "domainfusion/core/libtorch_version.h"

namespace domainfusion {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 3> kTypes{
    {{"float32", at::kFloat}, {"bfloat16", at::kBFloat16}, {"float16", at::kHalf}}};

// libtorch's defaults are sums in any order, other algorithms from call to call, and products of ten bits.
void compute_repeatably() {
  at::Context& context = at::globalContext();
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // without it cuBLAS may sum otherwise on another stream
  constexpr bool kWarnOnly = true;
  context.setDeterministicAlgorithms(true, kWarnOnly);
#if DOMAINFUSION_TORCH_AT_LEAST(2, 2)
  context.setDeterministicFillUninitializedMemory(false);
#endif
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
}

at::Device named_device(const std::string& name) {
  if (name == "auto") return torch::cuda::is_available() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    throw ConfigError(fmt::format("device = '{}': expected auto, cpu, cuda or cuda:N", name));
  }
}

bool is_here(at::Device device) {
  if (!device.is_cuda()) return device.is_cpu();
  return torch::cuda::is_available() && device.index() < static_cast<std::int64_t>(torch::cuda::device_count());
}

}  // namespace

at::Device device_of(const std::string& name) {
  const at::Device device = named_device(name);
  check<DeviceError>(is_here(device), "device = '{}': there is no such device here; use device = cpu", name);
  if (device.is_cuda()) compute_repeatably();
  return device.is_cuda() && !device.has_index() ? at::Device(at::kCUDA, 0) : device;
}

void synchronize(at::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

std::int64_t peak_device_bytes(at::Device device) {
#ifdef DOMAINFUSION_CUDA
  using c10::CachingAllocator::StatType;
  if (device.is_cuda()) {
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
    return stats.allocated_bytes[static_cast<std::size_t>(StatType::AGGREGATE)].peak;
  }
#endif
  return 0;
}

at::ScalarType dtype_of(const std::string& name) {
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
  }
  throw ConfigError(fmt::format("dtype = '{}': expected float32, bfloat16 or float16", name));
}

std::string name_of(at::ScalarType dtype) {
  for (const auto& [name, type] : kTypes) {
    if (dtype == type) return name;
  }
  return at::toString(dtype);
}

Placement placement_of(const std::string& device, const std::string& dtype) {
  const Placement placement{device_of(device), dtype_of(dtype)};
  check<ConfigError>(!placement.device.is_cpu() || placement.dtype != at::kHalf,
                     "dtype = float16 on a CPU: its libraries have no products of that type; use bfloat16 or float32");
  return placement;
}

}  // namespace domainfusion
