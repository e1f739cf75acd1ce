#pragma once
// Tensors drawn from counter-based streams.

#include <ATen/core/Tensor.h>

#include "domainfusion/core/random/random.h"

namespace domainfusion {

// float32 CPU tensor of shape `sizes`, entries N(0, 1), drawn from `stream` in row-major order.
at::Tensor normal_tensor(RandomStream& stream, at::IntArrayRef sizes);

}  // namespace domainfusion
