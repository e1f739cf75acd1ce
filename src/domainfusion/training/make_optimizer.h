#pragma once
// From options to an optimizer.

#include <memory>

#include "domainfusion/training/optimizers/optimizer.h"
#include "domainfusion/training/options/training_config.h"

namespace domainfusion {

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, std::vector<at::Tensor> parameters);

}  // namespace domainfusion
