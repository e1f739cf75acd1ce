#pragma once
// What algorithms share that tell the source domains of a batch apart.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/algorithms/shared/step_draws.h"

namespace domainfusion {

// The classifier's answers on a raw batch by source domain, in the batch's order; N_d images of domain d.
struct AnswersByDomain {
  std::vector<at::Tensor> features_NF;  // before dropout
  std::vector<at::Tensor> logits_NK;
  std::vector<at::Tensor> label_N;
  at::Tensor loss_D;  // mean cross-entropy of each

  std::size_t domains() const { return label_N.size(); }
};

class DomainAlgorithm : public Algorithm {
 public:
  // `name`: of the group of its options and of its draws.
  explicit DomainAlgorithm(std::string name) : name_(std::move(name)) {}

  void describe(ConfigFields& fields) final;
  // A part of a batch would have other domains than the whole.
  bool loss_is_mean_over_images() const override { return false; }
  // In place of draws named by seed and step: for tests.
  void set_draws(std::function<std::unique_ptr<StepDraws>(std::int64_t step)> draws) { draws_ = std::move(draws); }

 protected:
  // The algorithm's own options. Those with a name of DomainBed's hyper-parameters take its values
  // (training/options/hparams.h).
  virtual void options(ConfigFields& fields) {}

  // The raw batch, one domain after the other; views.
  static std::vector<Batch> by_domain(const Batch& raw);
  // int64 [N] on the device: the place of each image's domain among those of the batch.
  at::Tensor domain_places(const Batch& raw) const;
  // One pass over all images: batch norm sees the domains together. Counts the fit.
  AnswersByDomain answers_together(const Batch& raw, StepRecord& record);
  // A pass for each domain. Counts the fit.
  AnswersByDomain answers_apart(const Batch& raw, StepRecord& record);
  // Of the classifier, in the order of its parameters().
  std::vector<at::Tensor> parameters() const;
  // ConfigError in prepare() if the run has fewer source domains, or fewer images of each in a batch.
  void need_domains(std::int64_t least) const;
  void need_images(std::int64_t least) const;

  // The learning rate of `step` where optimizer.lr is `lr`.
  double scheduled(double lr, std::int64_t step) const;

  std::unique_ptr<StepDraws> draws(std::int64_t step) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::function<std::unique_ptr<StepDraws>(std::int64_t step)> draws_;
};

}  // namespace domainfusion
