#include "domainfusion/core/random/random_tensor.h"

#include <torch/types.h>

namespace domainfusion {

at::Tensor normal_tensor(RandomStream& stream, at::IntArrayRef sizes) {
  at::Tensor values = torch::empty(sizes, torch::kFloat32);
  stream.fill_normal({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
  return values;
}

}  // namespace domainfusion
