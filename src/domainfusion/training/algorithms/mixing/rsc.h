#pragma once
// RSC (Huang et al., Self-Challenging Improves Cross-Domain Generalization, ECCV 2020) as DomainBed has it, on feature
// vectors: the features along which the right class's logit rises most are muted, in the images that lose most by it.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class Rsc final : public DomainAlgorithm {
 public:
  Rsc() : DomainAlgorithm("rsc") {}

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double muted_features_ = 1.0 / 3, muted_images_ = 1.0 / 3;
};

// numpy's percentile of each row [N, F] (linear interpolation), `share` in [0, 1] -> [N, 1].
at::Tensor row_percentile(const at::Tensor& value_NF, double share);

}  // namespace domainfusion
