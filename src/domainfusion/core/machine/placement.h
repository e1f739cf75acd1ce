#pragma once
// Where tensors are computed, and in which floating-point type.

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>

namespace domainfusion {

struct Placement {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  bool operator==(const Placement&) const = default;
};

// "auto" (CUDA where there is one, else the CPU), "cpu", "cuda" or "cuda:N". ConfigError for another word, DeviceError
// for a device that is not here. A GPU that is named here computes float32 as float32 (no TF32) and by algorithms that
// give equal bits for equal inputs, in the whole process.
at::Device device_of(const std::string& name);

// Waits for what `device` has been given to do; nothing on a CPU. Before clocks are read.
void synchronize(at::Device device);

// The most that tensors have taken of a GPU's memory at once, in bytes; 0 on a CPU.
std::int64_t peak_device_bytes(at::Device device);

// "float32", "bfloat16" or "float16", else ConfigError.
at::ScalarType dtype_of(const std::string& name);
std::string name_of(at::ScalarType dtype);

// ConfigError for float16 on a CPU, where libtorch has no products of that type.
Placement placement_of(const std::string& device, const std::string& dtype);

}  // namespace domainfusion
