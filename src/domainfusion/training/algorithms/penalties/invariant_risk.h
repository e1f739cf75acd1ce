#pragma once
// IRM (Arjovsky et al., Invariant Risk Minimization, 2019, IRMv1), the information bottleneck on features, and both
// (Ahuja et al., Invariance Principle Meets Information Bottleneck, NeurIPS 2021): the mean over the domains of
//   CE_d + a P_d + b V_d;
// P_d is the product of dCE/ds at s = 1 (logits times s) on the even and on the odd images of d, V_d the variance of
// each feature over the images, averaged over the features.

#include "domainfusion/training/algorithms/shared/annealed_algorithm.h"

namespace domainfusion {

struct Penalty {
  double weight = 100;
  std::int64_t anneal_steps = 500;
};

class InvariantRisk : public AnnealedAlgorithm {
 public:
  void prepare(TrainingContext& context) override;

 protected:
  InvariantRisk(std::string name, bool irm, bool bottleneck)
      : AnnealedAlgorithm(std::move(name)), has_irm_(irm), has_bottleneck_(bottleneck) {}
  void options(ConfigFields& fields) override;
  std::vector<std::int64_t> annealing_steps() const override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  bool has_irm_, has_bottleneck_;
  Penalty irm_, bottleneck_;
};

struct Irm final : InvariantRisk {
  Irm() : InvariantRisk("irm", true, false) {}
};
struct IbErm final : InvariantRisk {
  IbErm() : InvariantRisk("ib_erm", false, true) {}
};
struct IbIrm final : InvariantRisk {
  IbIrm() : InvariantRisk("ib_irm", true, true) {}
};

// P_d above; at least two images.
at::Tensor irm_penalty(const at::Tensor& logits_NK, const at::Tensor& label_N);

}  // namespace domainfusion
