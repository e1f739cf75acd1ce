#pragma once
// Sinusoidal time steps (DDPM, Ho et al. 2020) and their two-layer embedding.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "domainfusion/nn/layers/linear.h"

namespace domainfusion {

// cos/sin of t * 10000^(-i / (dim/2 - freq_shift)), i = 0 … dim/2 - 1. timesteps_N: any dtype, fractions allowed.
// Returns float32 [N, dim]: sines then cosines, or the reverse with flip_sin_to_cos; an odd last column is 0.
at::Tensor sinusoidal_embedding(const at::Tensor& timesteps_N, std::int64_t dim, bool flip_sin_to_cos,
                                double freq_shift);

// linear_2(silu(linear_1(x))).
class TimestepEmbeddingImpl : public torch::nn::Module {
 public:
  TimestepEmbeddingImpl(std::int64_t in_channels, std::int64_t time_channels);
  at::Tensor forward(const at::Tensor& x_NC);

 private:
  Linear linear_1_, linear_2_;
};
TORCH_MODULE(TimestepEmbedding);

}  // namespace domainfusion
