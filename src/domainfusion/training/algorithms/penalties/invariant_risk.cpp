#include "domainfusion/training/algorithms/penalties/invariant_risk.h"

#include <torch/types.h>

namespace domainfusion {
namespace {

constexpr std::int64_t kMostSteps = INT64_C(1) << 40;

// The derivative of the mean cross-entropy of s * logits in s, at 1.
at::Tensor scale_gradient(const at::Tensor& logits_NK, const at::Tensor& label_N) {
  const at::Tensor expected_N = (logits_NK.softmax(1) * logits_NK).sum(1);
  return (expected_N - logits_NK.gather(1, label_N.unsqueeze(1)).squeeze(1)).mean();
}

}  // namespace

at::Tensor irm_penalty(const at::Tensor& logits_NK, const at::Tensor& label_N) {
  const auto half = [](const at::Tensor& rows, std::int64_t first) { return rows.slice(0, first, rows.size(0), 2); };
  return scale_gradient(half(logits_NK, 0), half(label_N, 0)) * scale_gradient(half(logits_NK, 1), half(label_N, 1));
}

void InvariantRisk::options(ConfigFields& fields) {
  if (has_irm_) {
    fields.real("irm_lambda", irm_.weight, {0, 1e30}, "weight of IRM's penalty; before it begins, 1");
    fields.integer("irm_penalty_anneal_iters", irm_.anneal_steps, {0, kMostSteps}, "step at which it begins");
  }
  if (has_bottleneck_) {
    fields.real("ib_lambda", bottleneck_.weight, {0, 1e30}, "weight of the variance of features");
    fields.integer("ib_penalty_anneal_iters", bottleneck_.anneal_steps, {0, kMostSteps}, "step at which it begins");
  }
}

void InvariantRisk::prepare(TrainingContext& context) {
  AnnealedAlgorithm::prepare(context);
  need_images(2);
}

std::vector<std::int64_t> InvariantRisk::annealing_steps() const {
  std::vector<std::int64_t> steps;
  if (has_irm_) steps.push_back(irm_.anneal_steps);
  if (has_bottleneck_) steps.push_back(bottleneck_.anneal_steps);
  return steps;
}

at::Tensor InvariantRisk::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const AnswersByDomain answers = answers_together(raw, record);
  const auto mean_over_domains = [&](auto penalty) {
    std::vector<at::Tensor> penalties;
    for (std::size_t d = 0; d < answers.domains(); ++d) penalties.push_back(penalty(d));
    return torch::stack(penalties).mean();
  };
  at::Tensor total = answers.loss_D.mean();
  record.scalars["nll"] = total.item<double>();
  if (has_irm_) {
    const at::Tensor penalty =
        mean_over_domains([&](std::size_t d) { return irm_penalty(answers.logits_NK[d], answers.label_N[d]); });
    record.scalars["irm_penalty"] = penalty.item<double>();
    total = total + penalty * (step >= irm_.anneal_steps ? irm_.weight : 1.0);
  }
  if (has_bottleneck_) {
    const at::Tensor penalty = mean_over_domains([&](std::size_t d) { return answers.features_NF[d].var(0).mean(); });
    record.scalars["ib_penalty"] = penalty.item<double>();
    total = total + penalty * (step >= bottleneck_.anneal_steps ? bottleneck_.weight : 0.0);
  }
  return total;
}

}  // namespace domainfusion
