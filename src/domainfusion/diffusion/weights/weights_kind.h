#pragma once
// Which network a file of weights belongs to, by the names and shapes of its tensors.

#include <string>

#include "domainfusion/diffusion/weights/compvis_names.h"

namespace domainfusion {

// One line for people: "U-Net of diffusers, conditioned on 768 channels", "weights of an unknown network".
std::string kind_of_weights(const TensorShapes& shapes);

}  // namespace domainfusion
