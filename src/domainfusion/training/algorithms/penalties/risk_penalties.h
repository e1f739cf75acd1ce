#pragma once
// Algorithms that change no more than how the domains' mean cross-entropies L_d become one loss.

#include "domainfusion/training/algorithms/shared/annealed_algorithm.h"

namespace domainfusion {

// V-REx (Krueger et al., Out-of-Distribution Generalization via Risk Extrapolation, ICML 2021, eq. 8): the mean of L_d
// plus a weight times their (biased) variance.
class VRex final : public AnnealedAlgorithm {
 public:
  VRex() : AnnealedAlgorithm("vrex") {}

 protected:
  void options(ConfigFields& fields) override;
  std::vector<std::int64_t> annealing_steps() const override { return {anneal_steps_}; }
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double lambda_ = 10;
  std::int64_t anneal_steps_ = 500;
};

// GroupDRO (Sagawa et al., ICLR 2020, algorithm 1): the sum of q_d L_d, where in each step q_d grows by the factor
// exp(eta L_d) before all are divided by their sum.
class GroupDro final : public DomainAlgorithm {
 public:
  GroupDro() : DomainAlgorithm("groupdro") {}
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double eta_ = 1e-2;
  at::Tensor q_D_;  // undefined before the first step
};

// EQRM (Eastwood et al., Probable Domain Generalization via Quantile Risk Minimization, NeurIPS 2022, algorithm 1):
// after burn-in with their mean, a quantile of L_d, of a density of Gaussian kernels with bandwidth 1.06 s D^(-1/5).
class Eqrm final : public AnnealedAlgorithm {
 public:
  Eqrm() : AnnealedAlgorithm("eqrm") {}
  void prepare(TrainingContext& context) override;

 protected:
  void options(ConfigFields& fields) override;
  std::vector<std::int64_t> annealing_steps() const override { return {burnin_steps_}; }
  double later_lr() const override { return lr_; }
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double quantile_ = 0.75, lr_ = 1e-6;
  std::int64_t burnin_steps_ = 2500;
};

// The `quantile`, in (0, 1), of the density of Gaussian kernels around values [D], D >= 2; differentiable.
at::Tensor kernel_quantile(const at::Tensor& value_D, double quantile);

// SD, spectral decoupling (Pezeshki et al., Gradient Starvation, NeurIPS 2021, eq. 25): cross-entropy plus a weight
// times the mean square of the logits.
class SpectralDecoupling final : public DomainAlgorithm {
 public:
  SpectralDecoupling() : DomainAlgorithm("sd") {}

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double weight_ = 0.1;
};

}  // namespace domainfusion
