#pragma once
// Batch norm over a batch whose rows lie on several ranks.

#include <ATen/core/Tensor.h>

#include "domainfusion/distributed/ranks.h"

namespace domainfusion {

// What torch::batch_norm gives in train mode for the rows of all ranks together; each rank gets its own rows. x_NCHW:
// this rank's, N >= 1; weight_C, bias_C, and running_mean_C, running_var_C, which are moved by `momentum`. The gradient
// is that of the whole, but for weight and bias: their parts on the ranks add up to it.
at::Tensor synchronised_batch_norm(const at::Tensor& x_NCHW, const at::Tensor& weight_C, const at::Tensor& bias_C,
                                   const at::Tensor& running_mean_C, const at::Tensor& running_var_C, double momentum,
                                   double eps, Ranks& ranks);

}  // namespace domainfusion
