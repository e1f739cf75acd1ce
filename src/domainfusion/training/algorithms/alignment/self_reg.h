#pragma once
// SelfReg (Kim et al., Self-supervised Contrastive Regularization for Domain Generalization, ICCV 2021): cross-entropy
// plus, scaled with it, the squared distances of an image's logits and features to those (features: behind a fixed
// random projection) of other images of its class, whatever their domain, and to mixtures of two of them.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

class SelfReg final : public DomainAlgorithm {
 public:
  SelfReg() : DomainAlgorithm("selfreg") {}
  void prepare(TrainingContext& context) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override { side_.save(tensors); }
  void load(const TensorMap& tensors, const nlohmann::json& state) override { side_.load(tensors); }

 protected:
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  SideNetworks side_{"cdpl"};
  std::function<at::Tensor(const at::Tensor&)> project_;
};

}  // namespace domainfusion
