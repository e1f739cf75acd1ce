#pragma once
// Where the tests of numbers compute: the device that the environment variable DOMAINFUSION_TEST_DEVICE names, a CPU
// without it.

#include <cstdlib>
#include <string>

#include "domainfusion/core/machine/placement.h"
#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

inline std::string test_device_name() {
  const char* name = std::getenv("DOMAINFUSION_TEST_DEVICE");
  return name == nullptr ? "cpu" : name;
}

inline at::Device test_device() { return device_of(test_device_name()); }

inline TensorMap on_test_device(TensorMap tensors) {
  for (auto& [name, tensor] : tensors) tensor = tensor.to(test_device());
  return tensors;
}

}  // namespace domainfusion
