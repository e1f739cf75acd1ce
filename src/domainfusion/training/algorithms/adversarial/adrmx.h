#pragma once
// ADRMX (Additive Disentanglement of Domain Features with Remix Loss, 2023): a second network learns features of the
// domain, whose difference from the classifier's is kept from an adversary that tells domains by it. Steps take turns
// as DANN's do.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

class Adrmx final : public DomainAlgorithm {
 public:
  Adrmx() : DomainAlgorithm("adrmx") { mlp_.depth = 9; }
  // Heads are DomainBed's nonlinear ones.
  void defaults(TrainingConfig& config) const override;
  void add_networks(torch::nn::Module& beside, const NetworkRequest& request) override;
  void prepare(TrainingContext& context) override;
  StepRecord update(std::int64_t step, const Batch& raw) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override { adversary_.save(tensors); }
  void load(const TensorMap& tensors, const nlohmann::json& state) override { adversary_.load(tensors); }

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  struct Features {
    at::Tensor label_NF, domain_NF;
    at::Tensor combined_NF() const { return label_NF - domain_NF; }
  };
  Features both_features(const Batch& raw);
  at::Tensor remix_loss(const Features& features, const at::Tensor& label_N, StepDraws& draws);

  double contrast_ = 1, domain_ = 1, adversary_weight_ = 0.75, remix_ = 1;
  std::int64_t adversary_steps_ = 2;
  MlpConfig mlp_;
  Classifier domain_network_{nullptr};
  Head combined_head_{nullptr}, domain_head_{nullptr};
  SideNetworks adversary_{"adversary"};
  Mlp discriminator_{nullptr};
};

// The supervised contrastive loss with pairs of one domain weighed by 1/2 and pairs of two by 1/2, temperature 0.07:
// features [N, F], int64 labels and domains [N] -> scalar. Images without another of their class do not count.
at::Tensor domain_contrastive_loss(const at::Tensor& feature_NF, const at::Tensor& label_N, const at::Tensor& domain_N);

}  // namespace domainfusion
