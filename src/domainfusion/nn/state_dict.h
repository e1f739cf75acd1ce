#pragma once
// Weights in and out of modules, by their state-dict names.

#include <torch/nn/module.h>

#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/core/machine/placement.h"
#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

// Copies `weights` into the parameters and buffers of `module` (converted to their dtype and device). Names that end in
// one of `ignored_suffixes` may be left over. All missing, left-over and mis-shaped names are reported together: one
// ShapeError if shapes differ, else one FormatError; `subject` opens the message. Nothing is copied unless everything
// fits.
void load_state_dict(torch::nn::Module& module, const TensorMap& weights, std::string_view subject,
                     const std::vector<std::string>& ignored_suffixes = {});

// The same for a module that only reads its parameters, and that comes to lie in `placement`: weights of that type and
// device lend it their memory (which may be a mapped file), the others are converted; integers keep their type. On a
// GPU, kernels of convolutions lie channels last.
void adopt_state_dict(torch::nn::Module& module, const TensorMap& weights, std::string_view subject,
                      const std::vector<std::string>& ignored_suffixes = {}, const Placement& placement = {});

// Parameters and buffers of `module` by name; the tensors alias the module's (detached).
TensorMap state_dict_of(const torch::nn::Module& module);

// The parameters alone, as above.
TensorMap parameters_of(const torch::nn::Module& module);

// Number of parameter elements.
std::int64_t parameter_count(const torch::nn::Module& module);

}  // namespace domainfusion
