#pragma once
// RDM (Nguyen et al., Domain Generalisation via Risk Distribution Matching, WACV 2024): the domains' mean
// cross-entropy, plus, from an annealing step on, a weight times the MMD between the cross-entropies of the worst
// domain's images and those of all images, plus another times the (unbiased) variances of both.

#include "domainfusion/training/algorithms/shared/annealed_algorithm.h"

namespace domainfusion {

class RiskMatching final : public AnnealedAlgorithm {
 public:
  RiskMatching() : AnnealedAlgorithm("rdm") {}
  void prepare(TrainingContext& context) override;

 protected:
  void options(ConfigFields& fields) override;
  std::vector<std::int64_t> annealing_steps() const override { return {anneal_steps_}; }
  double later_lr() const override { return lr_; }
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double lambda_ = 5, variance_weight_ = 0.004, lr_ = 1.5e-5;
  std::int64_t anneal_steps_ = 1500;
};

}  // namespace domainfusion
