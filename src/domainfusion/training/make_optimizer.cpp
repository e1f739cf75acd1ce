#include "domainfusion/training/make_optimizer.h"

#include "domainfusion/training/optimizers/adam.h"
#include "domainfusion/training/optimizers/sgd.h"

namespace domainfusion {

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, std::vector<at::Tensor> parameters) {
  if (config.name == OptimizerName::kSgd) {
    return std::make_unique<Sgd>(std::move(parameters), SgdOptions{.lr = config.lr,
                                                                   .momentum = config.momentum,
                                                                   .nesterov = config.nesterov,
                                                                   .weight_decay = config.weight_decay});
  }
  return std::make_unique<Adam>(std::move(parameters),
                                AdamOptions{.lr = config.lr,
                                            .beta1 = config.beta1,
                                            .beta2 = config.beta2,
                                            .weight_decay = config.weight_decay,
                                            .decoupled_decay = config.name == OptimizerName::kAdamW});
}

}  // namespace domainfusion
