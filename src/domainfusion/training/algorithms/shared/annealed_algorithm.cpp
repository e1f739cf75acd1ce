#include "domainfusion/training/algorithms/shared/annealed_algorithm.h"

namespace domainfusion {

void AnnealedAlgorithm::before_step(std::int64_t step) {
  Optimizer& optimizer = *context().optimizer;
  for (const std::int64_t first : annealing_steps()) {
    if (step == first) optimizer.reset();
    if (step >= first && later_lr() > 0) optimizer.set_lr(scheduled(later_lr(), step));
  }
}

}  // namespace domainfusion
