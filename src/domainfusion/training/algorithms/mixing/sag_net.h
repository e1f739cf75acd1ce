#pragma once
// SagNet (Nam et al., Reducing Domain Gap by Reducing Style Bias, CVPR 2021) as DomainBed has it, on feature vectors:
// the head learns from features whose mean and deviation are mixed with another image's, a second head from features
// that have another image's content, and the features are trained against the second head's certainty.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

class SagNet final : public DomainAlgorithm {
 public:
  SagNet() : DomainAlgorithm("sagnet") {}
  void prepare(TrainingContext& context) override;
  bool follows_one_gradient() const override { return false; }
  StepRecord update(std::int64_t step, const Batch& raw) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override { side_.save(tensors); }
  void load(const TensorMap& tensors, const nlohmann::json& state) override { side_.load(tensors); }

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double adversary_weight_ = 0.1;
  SideNetworks side_{"style"};
  Head style_head_{nullptr};
  std::unique_ptr<StepDraws> drawn_;  // of the step
};

// Features [N, F] with another image's style (its mean and variance over F, mixed with the image's own) or content.
at::Tensor with_other_style(const at::Tensor& feature_NF, StepDraws& draws);
at::Tensor with_other_content(const at::Tensor& feature_NF, StepDraws& draws);

}  // namespace domainfusion
