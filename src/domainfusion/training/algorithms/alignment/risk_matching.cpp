#include "domainfusion/training/algorithms/alignment/risk_matching.h"

#include <torch/types.h>

#include "domainfusion/training/algorithms/shared/feature_distances.h"

namespace domainfusion {
namespace {

constexpr double kRiskGammas[] = {0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000};

}  // namespace

void RiskMatching::options(ConfigFields& fields) {
  fields.real("rdm_lambda", lambda_, {0, 1e30}, "weight of the distance between the risks' distributions");
  fields.integer("rdm_penalty_anneal_iters", anneal_steps_, {0, INT64_C(1) << 40},
                 "step at which both penalties begin");
  fields.real("variance_weight", variance_weight_, {0, 1e30}, "weight of the risks' variances");
  fields.real("rdm_lr", lr_, {0, 1e30}, "optimizer.lr from that step on; 0: as before");
}

void RiskMatching::prepare(TrainingContext& context) {
  AnnealedAlgorithm::prepare(context);
  need_images(2);
}

at::Tensor RiskMatching::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const AnswersByDomain answers = answers_together(raw, record);
  std::vector<at::Tensor> risks;
  for (std::size_t d = 0; d < answers.domains(); ++d) {
    risks.push_back(torch::cross_entropy_loss(answers.logits_NK[d], answers.label_N[d], {}, at::Reduction::None));
  }
  const auto worst = static_cast<std::size_t>(answers.loss_D.argmax().item<std::int64_t>());
  const at::Tensor all_N = torch::cat(risks), worst_N = risks[worst];
  const at::Tensor nll = answers.loss_D.mean(), apart = mmd(worst_N.unsqueeze(1), all_N.unsqueeze(1), kRiskGammas);
  const at::Tensor variance = all_N.var() + worst_N.var();
  record.scalars["erm_loss"] = nll.item<double>();
  record.scalars["matching_penalty"] = apart.item<double>();
  record.scalars["variance_penalty"] = variance.item<double>();
  if (step < anneal_steps_) return nll;
  return nll + lambda_ * apart + variance_weight_ * variance;
}

}  // namespace domainfusion
