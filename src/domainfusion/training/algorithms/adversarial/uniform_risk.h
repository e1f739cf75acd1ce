#pragma once
// URM (Uniformly Distributed Feature Representations for Fair and Robust Learning, TMLR 2024): an adversary tells the
// features of images from uniform noise, and the features, which an activation keeps in the noise's range, are trained
// to pass for it. After each step along CE + urm_adv_lambda BCE(adversary, noise) one step of the adversary.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

class UniformRisk final : public DomainAlgorithm {
 public:
  UniformRisk() : DomainAlgorithm("urm") {}
  void defaults(TrainingConfig& config) const override { config.classifier.activation = FeatureActivation::kTanh; }
  void prepare(TrainingContext& context) override;
  StepRecord update(std::int64_t step, const Batch& raw) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override { adversary_.save(tensors); }
  void load(const TensorMap& tensors, const nlohmann::json& state) override { adversary_.load(tensors); }

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  at::Tensor judged(at::Tensor feature_NF);

  double weight_ = 0.1, smoothing_ = 0, lr_ = 5e-5;
  std::int64_t hidden_layers_ = 1;
  SideNetworks adversary_{"adversary"};
  std::vector<torch::nn::Linear> layers_;
  at::Tensor features_NF_;  // of the last step
};

}  // namespace domainfusion
