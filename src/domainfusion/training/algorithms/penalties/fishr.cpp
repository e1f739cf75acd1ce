#include "domainfusion/training/algorithms/penalties/fishr.h"

#include <torch/types.h>

namespace domainfusion {

// An image's gradient in the weight is the product of p - y and its features: no gradient has to be held.
at::Tensor gradient_variance(const at::Tensor& feature_NF, const at::Tensor& logits_NK, const at::Tensor& label_N) {
  const auto images = static_cast<double>(feature_NF.size(0));
  const at::Tensor residual_NK =
      logits_NK.softmax(1) - torch::one_hot(label_N, logits_NK.size(1)).to(logits_NK.scalar_type());
  const at::Tensor mean_KF = residual_NK.t().matmul(feature_NF) / images;
  const at::Tensor squares_KF = residual_NK.square().t().matmul(feature_NF.square()) / images;
  return torch::cat({(squares_KF - mean_KF.square()).flatten(), residual_NK.var(0, /*unbiased=*/false)});
}

void Fishr::options(ConfigFields& fields) {
  fields.real("lambda", lambda_, {0, 1e30}, "weight of the variances' distance; before it begins, 0");
  fields.integer("penalty_anneal_iters", anneal_steps_, {0, INT64_C(1) << 40}, "step at which it begins");
  fields.real("ema", ema_, {0, 0.999999}, "share of the variances of earlier steps");
}

void Fishr::prepare(TrainingContext& context) {
  AnnealedAlgorithm::prepare(context);
  check<ConfigError>(context.config.classifier.head == HeadKind::kLinear,
                     "fishr takes the gradients of a linear head: set classifier.head to linear");
}

at::Tensor Fishr::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const AnswersByDomain answers = answers_together(raw, record);
  std::vector<at::Tensor> variances;
  for (std::size_t d = 0; d < answers.domains(); ++d)
    variances.push_back(gradient_variance(answers.features_NF[d], answers.logits_NK[d], answers.label_N[d]));
  at::Tensor mean_DP = (1 - ema_) * torch::stack(variances);
  if (mean_DP_.defined()) mean_DP = mean_DP + ema_ * mean_DP_;
  if (!is_second_look()) mean_DP_ = mean_DP.detach();
  const at::Tensor variance_DP = mean_DP / (1 - ema_);
  const at::Tensor penalty = (variance_DP - variance_DP.mean(0, true)).square().mean();
  const at::Tensor nll = classification_loss(torch::cat(answers.logits_NK), torch::cat(answers.label_N));
  record.scalars["nll"] = nll.item<double>();
  record.scalars["penalty"] = penalty.item<double>();
  return step >= anneal_steps_ ? nll + lambda_ * penalty : nll;
}

void Fishr::save(TensorMap& tensors, nlohmann::json&) const {
  if (mean_DP_.defined()) tensors["mean_variance"] = mean_DP_;
}

void Fishr::load(const TensorMap& tensors, const nlohmann::json&) {
  if (const auto mean = tensors.find("mean_variance"); mean != tensors.end())
    mean_DP_ = mean->second.to(context().device);
}

}  // namespace domainfusion
