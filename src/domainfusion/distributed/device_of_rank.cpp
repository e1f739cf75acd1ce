#include "domainfusion/distributed/device_of_rank.h"

#include <torch/cuda.h>

#include "domainfusion/core/machine/placement.h"
#include "domainfusion/distributed/rank_environment.h"
#include "domainfusion/distributed/ranks.h"

namespace domainfusion {

at::Device device_of_rank(const std::string& name) {
  const at::Device device = device_of(name);
  const auto environment = current_ranks() != nullptr ? rank_environment() : std::nullopt;
  if (!environment || !device.is_cuda() || name.find(':') != std::string::npos) return device;
  const auto gpus = static_cast<int>(torch::cuda::device_count());
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(environment->local_rank % gpus));
}

}  // namespace domainfusion
