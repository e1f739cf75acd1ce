#pragma once
// Algorithms that look at the gradients g_d of each source domain's loss L_d.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

// The mean of g_d, weight by weight times a mask of where the domains agree, over the mean of the mask.
class MaskedGradients : public DomainAlgorithm {
 protected:
  using DomainAlgorithm::DomainAlgorithm;
  double add_gradients(std::int64_t step, const Batch& raw, StepRecord& record) override;
  // Of one parameter; gradients [D, …] -> mask […].
  virtual at::Tensor mask(const at::Tensor& gradient_D) const = 0;
};

// AND-mask (Parascandolo et al., Learning Explanations that are Hard to Vary, ICLR 2021): 1 where |mean sign| >= tau.
class AndMask final : public MaskedGradients {
 public:
  AndMask() : MaskedGradients("andmask") {}
  at::Tensor mask(const at::Tensor& gradient_D) const override;

 protected:
  void options(ConfigFields& fields) override;

 private:
  double tau_ = 1;
};

// SAND-mask (Shahtalebi et al., 2021): max(0, tanh(k (|mean sign| - tau) / variance)).
class SandMask final : public MaskedGradients {
 public:
  SandMask() : MaskedGradients("sandmask") {}
  at::Tensor mask(const at::Tensor& gradient_D) const override;

 protected:
  void options(ConfigFields& fields) override;

 private:
  double tau_ = 1, k_ = 10;
};

// IGA (Koyama and Yamaguchi, Out-of-Distribution Generalization with Maximal Invariant Predictor, 2020): the mean of
// L_d plus a weight times the sum over domains of |g_d - mean g|^2, where the mean is held fixed.
class Iga final : public DomainAlgorithm {
 public:
  Iga() : DomainAlgorithm("iga") {}

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  double weight_ = 1000;
};

}  // namespace domainfusion
