#pragma once
// Algorithms that bring the features of different domains together.

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

// How far two sets of features are apart (shared/feature_distances.h).
enum class FeatureDistance { kMmd, kMoments };

// MMD (after Li et al., Domain Generalization with Adversarial Feature Learning, CVPR 2018) and CORAL: the domains'
// mean cross-entropy plus mmd_gamma times the mean distance of two domains' features.
class FeatureMatching : public DomainAlgorithm {
 public:
  void prepare(TrainingContext& context) override;

 protected:
  FeatureMatching(std::string name, FeatureDistance distance) : DomainAlgorithm(std::move(name)), distance_(distance) {}
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) final;
  // Of the features [N_d, F] of each domain; a scalar.
  virtual at::Tensor penalty(std::int64_t step, const std::vector<at::Tensor>& features_NF);
  at::Tensor distance(const at::Tensor& a_NF, const at::Tensor& b_MF) const;

 private:
  FeatureDistance distance_;
  double weight_ = 1;
};

struct Mmd final : FeatureMatching {
  Mmd() : FeatureMatching("mmd", FeatureDistance::kMmd) {}
};
struct Coral final : FeatureMatching {
  Coral() : FeatureMatching("coral", FeatureDistance::kMoments) {}
};

// CausIRL (Chevalley et al., Invariant Causal Mechanisms through Distribution Matching, 2022): the distance between two
// mixtures of the domains, made by cutting each domain's images in two at a drawn place.
class CausIrl : public FeatureMatching {
 public:
  // What is drawn decides about the penalty; 0 where one part is left with fewer than two images.
  at::Tensor penalty_of_cuts(const std::vector<at::Tensor>& features_NF, const std::vector<std::int64_t>& cuts) const;

 protected:
  using FeatureMatching::FeatureMatching;
  at::Tensor penalty(std::int64_t step, const std::vector<at::Tensor>& features_NF) final;
};

struct CausIrlMmd final : CausIrl {
  CausIrlMmd() : CausIrl("causirl_mmd", FeatureDistance::kMmd) {}
};
struct CausIrlCoral final : CausIrl {
  CausIrlCoral() : CausIrl("causirl_coral", FeatureDistance::kMoments) {}
};

}  // namespace domainfusion
