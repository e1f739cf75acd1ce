#pragma once
// Penalties that come, or grow, at a step of their own (IRM and those after it). There the optimizer begins anew, as in
// DomainBed: Adam's moments know nothing of the larger gradients that follow.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class AnnealedAlgorithm : public DomainAlgorithm {
 public:
  using DomainAlgorithm::DomainAlgorithm;
  void before_step(std::int64_t step) final;

 protected:
  // Steps before which a penalty has its early weight.
  virtual std::vector<std::int64_t> annealing_steps() const = 0;
  // optimizer.lr from those steps on; 0: as before.
  virtual double later_lr() const { return 0; }
};

}  // namespace domainfusion
