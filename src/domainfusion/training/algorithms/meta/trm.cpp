#include "domainfusion/training/algorithms/meta/trm.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/training/optimizers/sgd.h"

namespace domainfusion {
namespace {

constexpr int kHeadSteps = 30;
constexpr double kHeadLr = 0.1;

}  // namespace

at::Tensor inverse_hessian_product(const at::Tensor& v, const at::Tensor& weight_KF, const at::Tensor& bias_K,
                                   const at::Tensor& feature_NF, const at::Tensor& label_N) {
  constexpr int kTerms = 10;
  constexpr double kDiverged = 10;
  // H v of a softmax in closed form: with logits' change d = v f, each image's gradient changes by p (d - p . d).
  const at::Tensor p_NK = torch::linear(feature_NF, weight_KF, bias_K).softmax(1);
  const auto hessian_product = [&](const at::Tensor& direction) {
    const at::Tensor change_NK = feature_NF.matmul(direction.view_as(weight_KF).t());
    const at::Tensor moved_NK = p_NK * (change_NK - (p_NK * change_NK).sum(1, true));
    return (moved_NK.t().matmul(feature_NF) / static_cast<double>(label_N.size(0))).flatten();
  };
  at::Tensor term = v, sum;
  for (int i = 0; i < kTerms; ++i) {
    term = term - hessian_product(term);
    sum = sum.defined() ? sum + term : 2 * term;
    if (sum.abs().max().item<double>() > kDiverged) break;
  }
  return sum;
}

void Trm::options(ConfigFields& fields) {
  fields.real("cos_lambda", cos_lambda_, {0, 1e30}, "weight of the gradients' product");
  fields.integer("iters", erm_steps_, {0, INT64_C(1) << 40}, "steps of plain cross-entropy before");
  fields.real("groupdro_eta", eta_, {0, 1e3}, "how fast a pair of domains weighs more with its loss");
}

void Trm::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  need_domains(2);
  const std::int64_t domains = context.environments;
  for (std::int64_t d = 0; d < domains; ++d) {
    heads_.emplace_back(context.classifier->feature_size(), context.classifier->classes(), HeadKind::kLinear);
    side_.add(fmt::format("clist{}", d), heads_.back());
  }
  side_.initialise(context.seed, context.device);
  side_.set_optimizer(std::make_unique<Sgd>(side_.parameters(), SgdOptions{.lr = kHeadLr}));
  alpha_QP_ = (1 - torch::eye(domains)).to(context.device);
}

void Trm::save(TensorMap& tensors, nlohmann::json&) const {
  side_.save(tensors);
  tensors["alpha"] = alpha_QP_;
}

void Trm::load(const TensorMap& tensors, const nlohmann::json&) {
  side_.load(tensors);
  alpha_QP_ = tensors.at("alpha").to(context().device);
}

void Trm::fit_heads(const AnswersByDomain& answers) {
  for (int i = 0; i < kHeadSteps; ++i) {
    at::Tensor sum = torch::zeros({}, answers.loss_D.options());
    for (std::size_t d = 0; d < answers.domains(); ++d) {
      sum = sum + classification_loss(heads_[d]->forward(answers.features_NF[d].detach()), answers.label_N[d]);
    }
    side_.follow(sum, kHeadLr);
  }
}

at::Tensor Trm::transfer_loss(const AnswersByDomain& answers) {
  at::Tensor sum = torch::zeros({}, answers.loss_D.options());
  for (std::size_t q = 0; q < answers.domains(); ++q) {
    const at::Tensor weight = heads_[q]->parameters()[0], bias = heads_[q]->parameters()[1];
    const auto risk = [&](std::size_t d) {
      return classification_loss(heads_[q]->forward(answers.features_NF[d]), answers.label_N[d]);
    };
    const at::Tensor gradient_q = torch::autograd::grad({risk(q)}, {weight}, {}, true, true)[0].flatten();
    at::Tensor others = torch::zeros_like(sum);
    at::Tensor alpha_P = alpha_QP_[static_cast<std::int64_t>(q)];
    for (std::size_t p = 0; p < answers.domains(); ++p) {
      if (p == q) continue;
      const auto place = static_cast<std::int64_t>(p);
      const at::Tensor loss = risk(p) * alpha_P[place].clone();
      others = others + loss;
      if (!is_second_look()) alpha_P[place].mul_((eta_ * loss.detach()).exp());
    }
    const at::Tensor gradient_p = torch::autograd::grad({others}, {weight}, {}, true)[0].detach().flatten();
    const at::Tensor direction = inverse_hessian_product(gradient_p, weight.detach(), bias.detach(),
                                                         answers.features_NF[q].detach(), answers.label_N[q]);
    sum = sum + others - cos_lambda_ * direction.dot(gradient_q);
  }
  return sum / static_cast<double>(answers.domains());
}

at::Tensor Trm::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const AnswersByDomain answers = answers_together(raw, record);
  const at::Tensor nll = classification_loss(torch::cat(answers.logits_NK), torch::cat(answers.label_N));
  record.scalars["nll"] = nll.item<double>();
  if (step < erm_steps_) return nll;
  if (!is_second_look()) {
    alpha_QP_ = alpha_QP_ / alpha_QP_.sum(1, true);
    fit_heads(answers);
  }
  const at::Tensor transfer = transfer_loss(answers);
  record.scalars["trm_loss"] = transfer.item<double>();
  return nll + transfer;
}

}  // namespace domainfusion
