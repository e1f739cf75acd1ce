#pragma once
// Start values of weights, drawn from counter-based streams instead of torch's global generator.

#include <torch/nn/module.h>

#include <cstdint>
#include <string_view>

namespace domainfusion {

// Sets every parameter as torch's modules do by default, from RandomStream(seed, "<purpose>/<parameter name>"): weights of
// linear and convolution layers and their biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)); embeddings (a 2-D weight whose name
// ends in "embedding.weight") N(0, embedding_std^2); normalisation weights 1 and biases 0.
void initialise_parameters(torch::nn::Module& module, std::uint64_t seed, std::string_view purpose,
                           double embedding_std = 0.02);

}  // namespace domainfusion
