#pragma once
// DANN (Ganin et al., JMLR 2016) and CDANN (after Li et al., Conditional Invariant Adversarial Networks, ECCV 2018): an
// adversary tells the domain of an image by its features, and the features are trained to keep it from that. Steps take
// turns: d_steps_per_g_step of the adversary, then one of the classifier along CE - lambda CE_adversary. CDANN's
// adversary sees the features plus an embedding of the class, and classes weigh alike in its loss.

#include <torch/nn/modules/embedding.h>

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

// Whether step `step` (from 0) is the adversary's: the first `adversary_steps` of each 1 + adversary_steps, counted
// from update 1 as the released code does.
bool is_adversary_turn(std::int64_t step, std::int64_t adversary_steps);

class DomainAdversarial : public DomainAlgorithm {
 public:
  void defaults(TrainingConfig& config) const override;
  void prepare(TrainingContext& context) override;
  StepRecord update(std::int64_t step, const Batch& raw) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override { adversary_.save(tensors); }
  void load(const TensorMap& tensors, const nlohmann::json& state) override { adversary_.load(tensors); }

 protected:
  DomainAdversarial(std::string name, bool conditional) : DomainAlgorithm(std::move(name)), conditional_(conditional) {}
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  at::Tensor adversary_loss(const at::Tensor& feature_NF, const Batch& raw, StepDraws& draws);

  bool conditional_;
  double lambda_ = 1, lr_ = 5e-5, weight_decay_ = 0, gradient_penalty_ = 0;
  std::int64_t adversary_steps_ = 1;
  MlpConfig mlp_;
  SideNetworks adversary_{"adversary"};
  Mlp discriminator_{nullptr};
  torch::nn::Embedding class_embeddings_{nullptr};
};

struct Dann final : DomainAdversarial {
  Dann() : DomainAdversarial("dann", false) {}
};
struct Cdann final : DomainAdversarial {
  Cdann() : DomainAdversarial("cdann", true) {}
};

}  // namespace domainfusion
