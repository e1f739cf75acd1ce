#pragma once
// Mixup between domains (after Zhang et al., ICLR 2018, as DomainBed has it): each domain's images are mixed with the
// next one's of a drawn circle of the domains, share ~ Beta(mixup_alpha, mixup_alpha) of each pair of domains, and
// answers are judged by both labels, in the same shares.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class Mixup final : public DomainAlgorithm {
 public:
  Mixup() : DomainAlgorithm("mixup") {}

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double alpha_ = 0.2;
};

}  // namespace domainfusion
