#include "domainfusion/core/random/random_tensor.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace domainfusion {

at::Tensor normal_tensor(RandomStream& stream, at::IntArrayRef sizes) {
  at::Tensor values = at::empty(sizes, at::kFloat);
  stream.fill_normal({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
  return values;
}

}  // namespace domainfusion
