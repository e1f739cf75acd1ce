#pragma once
// Transfer (Zhang et al., Quantifying and Improving Transferability in Domain Generalization, NeurIPS 2021, algorithm
// 1): a head near the classifier's is moved by gradient ascent to where the domains' losses differ most, and the
// features are trained against that gap. Each update is a step along the cross-entropy, one along the gap, and
// d_steps_per_g steps of the adversary, which starts at the head and stays within `delta` of it.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

class Transfer final : public DomainAlgorithm {
 public:
  Transfer() : DomainAlgorithm("transfer") {}
  void prepare(TrainingContext& context) override;
  bool follows_one_gradient() const override { return false; }
  StepRecord update(std::int64_t step, const Batch& raw) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override { adversary_.save(tensors); }
  void load(const TensorMap& tensors, const nlohmann::json& state) override { adversary_.load(tensors); }

 protected:
  void options(ConfigFields& fields) override;

 private:
  at::Tensor gap(const std::vector<at::Tensor>& features_NF, const std::vector<Batch>& domains);
  void start_at_head();
  void stay_near_head();

  double weight_ = 1, delta_ = 2, lr_ = 1e-3;
  std::int64_t adversary_steps_ = 10;
  SideNetworks adversary_{"adversary"};
  Head head_{nullptr};
};

}  // namespace domainfusion
