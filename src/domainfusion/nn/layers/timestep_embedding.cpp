#include "domainfusion/nn/layers/timestep_embedding.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cmath>

namespace domainfusion {

at::Tensor sinusoidal_embedding(const at::Tensor& timesteps_N, std::int64_t dim, bool flip_sin_to_cos,
                                double freq_shift) {
  const std::int64_t half = dim / 2;
  const at::Tensor index = torch::arange(half, at::TensorOptions(timesteps_N.device()).dtype(torch::kFloat32));
  const at::Tensor frequency = (index * (-std::log(10000.0)) / (static_cast<double>(half) - freq_shift)).exp();
  const at::Tensor angle = timesteps_N.to(torch::kFloat32).unsqueeze(1) * frequency.unsqueeze(0);
  const at::Tensor both =
      flip_sin_to_cos ? at::cat({angle.cos(), angle.sin()}, 1) : at::cat({angle.sin(), angle.cos()}, 1);
  return dim % 2 == 0 ? both : at::constant_pad_nd(both, {0, 1});
}

TimestepEmbeddingImpl::TimestepEmbeddingImpl(std::int64_t in_channels, std::int64_t time_channels)
    : linear_1_(register_module("linear_1", Linear(in_channels, time_channels))),
      linear_2_(register_module("linear_2", Linear(time_channels, time_channels))) {}

at::Tensor TimestepEmbeddingImpl::forward(const at::Tensor& x_NC) { return linear_2_(at::silu(linear_1_(x_NC))); }

}  // namespace domainfusion
