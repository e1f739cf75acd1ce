#pragma once
// Fishr (Rame et al., Invariant Gradient Variances for Out-of-Distribution Generalization, ICML 2022): cross-entropy
// plus, from an annealing step on, a weight times the mean squared distance of the domains' variances v_d of the
// gradients of single images in the head's weights from the domains' mean. v_d is
//   (ema v_d' + (1 - ema) var) / (1 - ema),   v_d' being what stood in the brackets in the step before.

#include "domainfusion/training/algorithms/shared/annealed_algorithm.h"

namespace domainfusion {

class Fishr final : public AnnealedAlgorithm {
 public:
  Fishr() : AnnealedAlgorithm("fishr") {}
  void prepare(TrainingContext& context) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 protected:
  void options(ConfigFields& fields) override;
  std::vector<std::int64_t> annealing_steps() const override { return {anneal_steps_}; }
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double lambda_ = 1000, ema_ = 0.95;
  std::int64_t anneal_steps_ = 1500;
  at::Tensor mean_DP_;  // v_d', undefined before the first step
};

// The (biased) variance, over the images, of the gradients of their cross-entropies in a linear head's weight and bias:
// features [N, F], logits [N, K] -> [K * F + K]; differentiable.
at::Tensor gradient_variance(const at::Tensor& feature_NF, const at::Tensor& logits_NK, const at::Tensor& label_N);

}  // namespace domainfusion
