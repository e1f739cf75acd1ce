#include "domainfusion/training/algorithms/penalties/gradient_agreement.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/inference.h"

namespace domainfusion {
namespace {

constexpr double kTiny = 1e-17;  // in place of what is not a number

}  // namespace

double MaskedGradients::add_gradients(std::int64_t step, const Batch& raw, StepRecord& record) {
  const AnswersByDomain answers = answers_apart(raw, record);
  const auto loss = answers.loss_D.detach().mean().item<double>();
  check_loss(step, loss);
  std::vector<at::Tensor> weights = parameters();
  std::vector<std::vector<at::Tensor>> gradients(weights.size());
  for (std::size_t d = 0; d < answers.domains(); ++d) {
    const auto own = torch::autograd::grad({answers.loss_D[static_cast<std::int64_t>(d)]}, weights, {}, true);
    for (std::size_t i = 0; i < weights.size(); ++i) gradients[i].push_back(own[i]);
  }
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const at::Tensor gradient_D = torch::stack(gradients[i]), agreed = mask(gradient_D);
    weights[i].mutable_grad() = agreed * gradient_D.mean(0) / (1e-10 + agreed.mean());
  }
  return loss;
}

at::Tensor AndMask::mask(const at::Tensor& gradient_D) const {
  return gradient_D.sign().mean(0).abs().ge(tau_).to(torch::kFloat32);
}

void AndMask::options(ConfigFields& fields) {
  fields.real("tau", tau_, {0, 1}, "least |mean sign| of the domains' gradients at a weight that is changed");
}

at::Tensor SandMask::mask(const at::Tensor& gradient_D) const {
  at::Tensor variance = gradient_D.var(0);
  variance = torch::where(variance.isnan(), torch::full_like(variance, kTiny), variance);
  const at::Tensor agreement = gradient_D.sign().mean(0).abs() - tau_;
  const at::Tensor soft = torch::tanh(k_ * variance.reciprocal() * agreement);
  return torch::where(soft.isnan(), torch::full_like(soft, kTiny), soft.clamp_min(0));
}

void SandMask::options(ConfigFields& fields) {
  fields.real("tau", tau_, {0, 1}, "|mean sign| of the domains' gradients from which on a weight is changed");
  fields.real("k", k_, {0, 1e30}, "slope of the mask");
}

void Iga::options(ConfigFields& fields) {
  fields.real("penalty", weight_, {0, 1e30}, "weight of the gradients' scatter");
}

at::Tensor Iga::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  const PlainOperations twice_differentiable;
  const AnswersByDomain answers = answers_apart(raw, record);
  const std::vector<at::Tensor> weights = parameters();
  const at::Tensor mean = answers.loss_D.mean();
  const auto mean_gradient = torch::autograd::grad({mean}, weights, {}, true);
  at::Tensor scatter = torch::zeros({}, mean.options());
  for (std::size_t d = 0; d < answers.domains(); ++d) {
    const auto own = torch::autograd::grad({answers.loss_D[static_cast<std::int64_t>(d)]}, weights, {}, true, true);
    for (std::size_t i = 0; i < own.size(); ++i) scatter = scatter + (own[i] - mean_gradient[i]).square().sum();
  }
  record.scalars["nll"] = mean.item<double>();
  record.scalars["penalty"] = scatter.item<double>();
  return mean + weight_ * scatter;
}

}  // namespace domainfusion
