#pragma once
// Where a rank computes.

#include <c10/core/Device.h>

#include <string>

namespace domainfusion {

// device_of(name); among ranks, "auto" and "cuda" mean the GPU whose number is the rank's on its machine, counted
// around where there are fewer GPUs.
at::Device device_of_rank(const std::string& name);

}  // namespace domainfusion
