#pragma once
// MLDG (Li et al., Learning to Generalize, AAAI 2018), first order, as DomainBed computes it: of each meta-training
// domain i with a meta-test domain j the gradients of L_i(w) and of mldg_beta L_j(w_i), w_i being one step of a new
// optimizer along the first.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class Mldg final : public DomainAlgorithm {
 public:
  Mldg() : DomainAlgorithm("mldg") {}
  void prepare(TrainingContext& context) override;

 protected:
  void options(ConfigFields& fields) override;
  double add_gradients(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double beta_ = 1;
  std::int64_t meta_test_domains_ = 2;
};

}  // namespace domainfusion
