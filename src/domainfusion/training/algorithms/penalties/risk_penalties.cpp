#include "domainfusion/training/algorithms/penalties/risk_penalties.h"

#include <torch/types.h>

#include <cmath>

namespace domainfusion {
namespace {

constexpr std::int64_t kLatestStep = INT64_C(1) << 40;

at::Tensor normal_cdf(const at::Tensor& z) { return 0.5 * (1 + torch::erf(z / std::sqrt(2.0))); }

}  // namespace

void VRex::options(ConfigFields& fields) {
  fields.real("vrex_lambda", lambda_, {0, 1e30}, "weight of the variance of risks; before it begins, 1");
  fields.integer("vrex_penalty_anneal_iters", anneal_steps_, {0, kLatestStep}, "step at which it begins");
}

at::Tensor VRex::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const at::Tensor loss_D = answers_together(raw, record).loss_D, mean = loss_D.mean();
  const at::Tensor penalty = (loss_D - mean).square().mean();
  record.scalars["nll"] = mean.item<double>();
  record.scalars["penalty"] = penalty.item<double>();
  return mean + penalty * (step >= anneal_steps_ ? lambda_ : 1.0);
}

void GroupDro::options(ConfigFields& fields) {
  fields.real("groupdro_eta", eta_, {0, 1e3}, "how fast a domain's weight grows with its loss");
}

at::Tensor GroupDro::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  const at::Tensor loss_D = answers_apart(raw, record).loss_D;
  if (!q_D_.defined()) q_D_ = torch::ones_like(loss_D.detach());
  check(q_D_.size(0) == loss_D.size(0), "groupdro weighs {} domains, and this batch has {}", q_D_.size(0),
        loss_D.size(0));
  if (!is_second_look()) {
    q_D_ = q_D_ * (eta_ * loss_D.detach()).exp();
    q_D_ = q_D_ / q_D_.sum();
  }
  return loss_D.dot(q_D_);
}

void GroupDro::save(TensorMap& tensors, nlohmann::json&) const {
  if (q_D_.defined()) tensors["q"] = q_D_;
}

void GroupDro::load(const TensorMap& tensors, const nlohmann::json&) {
  if (const auto q = tensors.find("q"); q != tensors.end()) q_D_ = q->second.to(context().device);
}

void Eqrm::options(ConfigFields& fields) {
  fields.real("eqrm_quantile", quantile_, {1e-6, 1 - 1e-6}, "of the risks, that is minimised");
  fields.integer("eqrm_burnin_iters", burnin_steps_, {0, kLatestStep}, "steps with the mean risk before it");
  fields.real("eqrm_lr", lr_, {0, 1e30}, "optimizer.lr after burn-in; 0: as before");
}

void Eqrm::prepare(TrainingContext& context) {
  AnnealedAlgorithm::prepare(context);
  need_domains(2);
}

// A bisection in 32 halvings between the outermost kernels' quantiles; the result is a mean of these two, by which
// gradients flow.
at::Tensor kernel_quantile(const at::Tensor& value_D, double quantile) {
  const at::Tensor sorted_D = std::get<0>(value_D.to(torch::kFloat64).sort());
  const std::int64_t count = sorted_D.size(0);
  const at::Tensor bandwidth = 1.06 * sorted_D.std() * std::pow(static_cast<double>(count), -0.2);
  const at::Tensor shift = bandwidth * (std::sqrt(2.0) * torch::erfinv(torch::tensor(2 * quantile - 1)));
  at::Tensor low = sorted_D[0] + shift, high = sorted_D[count - 1] + shift, middle = 0.5 * (low + high);
  for (int halving = 0; halving < 32; ++halving) {
    const at::Tensor below = normal_cdf((middle.detach() - sorted_D.detach()) / bandwidth.detach()).mean();
    (below.item<double>() > quantile ? high : low) = middle;
    const at::Tensor next = 0.5 * (low + high);
    if (next.item<double>() == middle.item<double>()) break;
    middle = next;
  }
  return middle;
}

at::Tensor Eqrm::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const at::Tensor loss_D = answers_apart(raw, record).loss_D;
  return step < burnin_steps_ ? loss_D.mean() : kernel_quantile(loss_D, quantile_);
}

void SpectralDecoupling::options(ConfigFields& fields) {
  fields.real("sd_reg", weight_, {0, 1e30}, "weight of the logits' mean square");
}

at::Tensor SpectralDecoupling::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  const at::Tensor logits_NK = logits(raw.image_NCHW), nll = raw_loss(logits_NK, raw, record);
  const at::Tensor penalty = logits_NK.square().mean();
  record.scalars["nll"] = nll.item<double>();
  record.scalars["penalty"] = penalty.item<double>();
  return nll + weight_ * penalty;
}

}  // namespace domainfusion
