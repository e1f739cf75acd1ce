#include "domainfusion/core/placement.h"

#include <torch/torch.h>

#include <array>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 3> kTypes{
    {{"float32", at::kFloat}, {"bfloat16", at::kBFloat16}, {"float16", at::kHalf}}};

}  // namespace

at::Device device_of(const std::string& name) {
  if (name == "auto") return torch::cuda::is_available() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  const at::Device device = [&] {
    try {
      return at::Device(name);
    } catch (const c10::Error&) {
      throw ConfigError(fmt::format("device = '{}': expected auto, cpu, cuda or cuda:N", name));
    }
  }();
  check<DeviceError>(device.is_cpu() || (device.is_cuda() && torch::cuda::is_available()),
                     "device = '{}': there is no such device here; use device = cpu", name);
  return device;
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
