#pragma once
// Fish (Shi et al., Gradient Matching for Domain Generalization, ICLR 2022): a step on each domain in turn, then the
// weights go meta_lr of the way from where they were to where these steps led. Batch norm's statistics go with them.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class Fish final : public DomainAlgorithm {
 public:
  Fish() : DomainAlgorithm("fish") {}
  bool follows_one_gradient() const override { return false; }
  StepRecord update(std::int64_t step, const Batch& raw) override;

 protected:
  void options(ConfigFields& fields) override;

 private:
  double meta_lr_ = 0.5;
};

}  // namespace domainfusion
