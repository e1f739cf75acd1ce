#pragma once
// Start values of weights, drawn from counter-based streams instead of torch's global generator.

#include <torch/nn/module.h>

#include <cstdint>
#include <string_view>

#include "domainfusion/core/random/random.h"

namespace domainfusion {

// Overwrites a float parameter of any device with draws from `stream`, in row-major order: U(-bound, bound) or N(0,
// deviation^2). For use under torch::NoGradGuard.
void fill_uniform(at::Tensor parameter, double bound, RandomStream& stream);
void fill_normal(at::Tensor parameter, double deviation, RandomStream& stream);

// Sets every parameter as torch's modules do by default, from RandomStream(seed, "<purpose>/<parameter name>"): weights
// of linear and convolution layers and their biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)); embeddings (a 2-D weight whose
// name ends in "embedding.weight") N(0, embedding_std^2); normalisation weights 1 and biases 0.
void initialise_parameters(torch::nn::Module& module, std::uint64_t seed, std::string_view purpose,
                           double embedding_std = 0.02);

// For a freshly initialised autoencoder (diffusers' names): the last layers of the residual branches become zero (as
// Dhariwal and Nichol 2021 do in their U-Net), the convolutions between the branches keep the variance of what passes.
// The network starts as a nearly linear map and learns layout and colour first; without this, colour comes last
// (docs/results.md).
void start_as_trunk(torch::nn::Module& module);

}  // namespace domainfusion
