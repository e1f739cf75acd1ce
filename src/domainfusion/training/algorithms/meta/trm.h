#pragma once
// TRM (Xu and Jaakkola, Learning Representations that Support Robust Transfer of Predictors, 2021): each domain Q has a
// linear head of its own, kept near its optimum by 30 steps of SGD; the features have to serve it on the other domains
// P, and the transfer's dependence on Q's data is held down by an inverse Hessian's product with P's gradient:
//   CE + mean over Q of (sum over P of a_QP L_P(head_Q) - cos_lambda (H_Q^-1 g_P) . g_Q).

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/algorithms/shared/side_networks.h"

namespace domainfusion {

class Trm final : public DomainAlgorithm {
 public:
  Trm() : DomainAlgorithm("trm") {}
  void prepare(TrainingContext& context) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  void fit_heads(const AnswersByDomain& answers);
  at::Tensor transfer_loss(const AnswersByDomain& answers);

  double cos_lambda_ = 1e-4, eta_ = 1e-2;
  std::int64_t erm_steps_ = 200;
  SideNetworks side_{"trm"};
  std::vector<Head> heads_;
  at::Tensor alpha_QP_;
};

// An estimate of H^-1 v by at most ten terms of Neumann's series, H the Hessian of the mean cross-entropy in a linear
// head's weight [K, F] (its bias given too), cut short once a value exceeds 10: v [K * F] -> [K * F]. As in the
// released code, the series begins with its second term twice instead of its first.
at::Tensor inverse_hessian_product(const at::Tensor& v, const at::Tensor& weight_KF, const at::Tensor& bias_K,
                                   const at::Tensor& feature_NF, const at::Tensor& label_N);

}  // namespace domainfusion
