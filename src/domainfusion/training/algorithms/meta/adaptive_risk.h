#pragma once
// ARM (Zhang et al., Adaptive Risk Minimization, NeurIPS 2021; ARM-CML as DomainBed has it): a small network makes a
// map of every image, the maps' mean over the images of a batch that belong together (one domain's in training, in
// groups of loader.batch_size at test) is one more channel of each of them. So answers depend on the batch.

#include <torch/nn/modules/container/sequential.h>

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class AdaptiveRisk final : public DomainAlgorithm {
 public:
  AdaptiveRisk() : DomainAlgorithm("arm") {}
  ~AdaptiveRisk() override;
  void defaults(TrainingConfig& config) const override { config.loader.batch_size = 8; }
  void add_networks(torch::nn::Module& beside, const NetworkRequest& request) override;
  void prepare(TrainingContext& context) override;
  bool classifier_answers_alone() const override { return false; }

 private:
  at::Tensor addition(const at::Tensor& image_NCHW);

  torch::nn::Sequential context_net_{nullptr};
  at::Tensor kernel_;  // of the further channel, [out, 1, k, k]
  Classifier classifier_{nullptr};
};

// Maps [N, 1, H, W] -> the same, each the mean of the group of `support` neighbours that it lies in; of all N where
// `support` does not divide N.
at::Tensor shared_context(const at::Tensor& map_N1HW, std::int64_t support);

}  // namespace domainfusion
