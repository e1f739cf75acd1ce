#pragma once
// MTL (Blanchard et al., Domain Generalization by Marginal Transfer Learning, JMLR 2021) as DomainBed computes it: the
// head sees, beside the features, as many numbers for the image's domain. There these are overwritten with noise
// N(0, 1), in training and at test; here too in training, and answers are those at the noise's mean, 0, which is where
// the classifier's own head has the rest of its weights. (mtl_ema, which averages what is overwritten, changes nothing
// and has no option.)

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

class MarginalTransfer final : public DomainAlgorithm {
 public:
  MarginalTransfer() : DomainAlgorithm("mtl") {}
  void add_networks(torch::nn::Module& beside, const NetworkRequest& request) override;
  void prepare(TrainingContext& context) override;

 protected:
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  torch::nn::Linear embedding_head_{nullptr};  // no bias
};

}  // namespace domainfusion
