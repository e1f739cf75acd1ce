#pragma once
// CAD and CondCAD (Ruan et al., Optimal Representations for Covariate Shift, ICLR 2022): cross-entropy plus a weight
// times a contrastive bottleneck. Of each image i, p(j | i) is the softmax over the other images j (CondCAD: those of
// i's class) of z_i . z_j / temperature; the bottleneck is, up to a factor, the mean of -log of p of other domains'
// images (flipped), or of log of p of i's own domain's.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class ContrastiveBottleneck : public DomainAlgorithm {
 public:
  void prepare(TrainingContext& context) override;
  // features [N, F], int64 labels and domains [N] -> scalar; images without a counterpart do not count.
  at::Tensor bottleneck(const at::Tensor& feature_NF, const at::Tensor& label_N, const at::Tensor& domain_N) const;

 protected:
  ContrastiveBottleneck(std::string name, bool conditional)
      : DomainAlgorithm(std::move(name)), conditional_(conditional) {}
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  bool conditional_;
  double weight_ = 0.1, temperature_ = 0.1;
  bool normalized_ = false, flipped_ = true;
};

struct Cad final : ContrastiveBottleneck {
  Cad() : ContrastiveBottleneck("cad", false) {}
};
struct CondCad final : ContrastiveBottleneck {
  CondCad() : ContrastiveBottleneck("condcad", true) {}
};

}  // namespace domainfusion
