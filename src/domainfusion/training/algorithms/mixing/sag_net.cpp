#include "domainfusion/training/algorithms/mixing/sag_net.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/training/make_optimizer.h"

namespace domainfusion {
namespace {

// Of a feature vector: what is normalised, and the mean and variance that this took away.
struct Normalised {
  at::Tensor content_NF, mean_N1, variance_N1;
};

constexpr double kStyleEps = 1e-5;

Normalised normalised_features(const at::Tensor& feature_NF) {
  const at::Tensor mean_N1 = feature_NF.mean(1, true), variance_N1 = feature_NF.var(1, true, true);
  return {(feature_NF - mean_N1) / (variance_N1 + kStyleEps).sqrt(), mean_N1, variance_N1};
}

at::Tensor joined_features(const Normalised& parts) {
  return parts.content_NF * (parts.variance_N1 + kStyleEps).sqrt() + parts.mean_N1;
}

}  // namespace

at::Tensor with_other_style(const at::Tensor& feature_NF, StepDraws& draws) {
  const at::Tensor share = draws.uniform({feature_NF.size(0), 1}).to(feature_NF.device());
  const at::Tensor other = draws.permutation(feature_NF.size(0)).to(feature_NF.device());
  Normalised parts = normalised_features(feature_NF);
  const auto mixed = [&](const at::Tensor& own) { return share * own + (1 - share) * own.index_select(0, other); };
  return joined_features({parts.content_NF, mixed(parts.mean_N1), mixed(parts.variance_N1)});
}

// A share is drawn and not used, as in DomainBed.
at::Tensor with_other_content(const at::Tensor& feature_NF, StepDraws& draws) {
  draws.uniform({feature_NF.size(0), 1});
  const at::Tensor other = draws.permutation(feature_NF.size(0)).to(feature_NF.device());
  const Normalised parts = normalised_features(feature_NF);
  return joined_features({parts.content_NF.index_select(0, other).detach(), parts.mean_N1, parts.variance_N1});
}

void SagNet::options(ConfigFields& fields) {
  fields.real("sag_w_adv", adversary_weight_, {0, 1e30}, "weight of the loss against the second head's certainty");
}

void SagNet::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  style_head_ = Head(context.classifier->feature_size(), context.classifier->classes(), context.config.classifier.head);
  side_.add("network_s", style_head_);
  side_.initialise(context.seed, context.device);
  side_.set_optimizer(make_optimizer(context.config.optimizer, side_.parameters()));
}

at::Tensor SagNet::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  return raw_loss(classify(with_other_style(features(raw.image_NCHW), *drawn_)), raw, record);
}

StepRecord SagNet::update(std::int64_t step, const Batch& raw) {
  drawn_ = draws(step);
  StepRecord record = Algorithm::update(step, raw);
  record.scalars["loss_c"] = record.scalars["loss"];
  at::Tensor feature_NF;
  {
    const torch::NoGradGuard no_grad;
    feature_NF = features(raw.image_NCHW);
  }
  const at::Tensor style_loss =
      classification_loss(style_head_->forward(with_other_content(feature_NF, *drawn_)), raw.label_N);
  record.scalars["loss_s"] = style_loss.item<double>();
  side_.follow(style_loss, context().optimizer->lr());

  Optimizer& optimizer = *context().optimizer;
  optimizer.zero_grad();
  const at::Tensor answers = style_head_->forward(with_other_content(features(raw.image_NCHW), *drawn_));
  const at::Tensor certainty = -adversary_weight_ * answers.log_softmax(1).mean();
  record.scalars["loss_adv"] = certainty.item<double>();
  check_loss(step, record.scalars["loss_adv"]);
  certainty.backward();
  optimizer.step();  // the head, which took no part, has no gradient and stays
  return record;
}

}  // namespace domainfusion
