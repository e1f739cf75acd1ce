#pragma once
// MIRO (Cha et al., Domain Generalization by Mutual-Information Regularization with Pre-trained Models, ECCV 2022):
// cross-entropy plus lambda times the sum, over stem and stages, of half the mean of (f - f0)^2 / v + log v, f0 being
// the map of the network as the run began it (pretrained, and fixed), v a learnt variance of each channel. Backbones
// without stages: of the features alone.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class Miro final : public DomainAlgorithm {
 public:
  Miro() : DomainAlgorithm("miro") {}
  void add_networks(torch::nn::Module& beside, const NetworkRequest& request) override;
  void prepare(TrainingContext& context) override;
  PlannedWork planned_work(const WorkSizes& sizes) const override;

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double lambda_ = 0.01, variance_lr_multiplier_ = 10;
  std::vector<at::Tensor> variance_C_;  // as softplus^-1(v - eps), of each layer
  Classifier fixed_{nullptr};
};

// Half the mean of (f - f0)^2 / v + log v, v = softplus(b) + 1e-5: maps [N, C, …], b [C] -> scalar.
at::Tensor miro_penalty(const at::Tensor& map, const at::Tensor& fixed_map, const at::Tensor& b_C);

}  // namespace domainfusion
