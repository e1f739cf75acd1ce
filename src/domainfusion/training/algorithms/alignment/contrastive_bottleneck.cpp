#include "domainfusion/training/algorithms/alignment/contrastive_bottleneck.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <limits>

namespace domainfusion {
namespace {

constexpr double kBaseTemperature = 0.07;

// log of the sum of exp(x) over the columns that `mask` names; -inf where it names none.
at::Tensor masked_logsumexp(const at::Tensor& x, const at::Tensor& mask) {
  return x.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity()).logsumexp(1);
}

at::Tensor equal_pairs(const at::Tensor& value_N) { return value_N.unsqueeze(1).eq(value_N.unsqueeze(0)); }

}  // namespace

void ContrastiveBottleneck::options(ConfigFields& fields) {
  fields.real("lmbda", weight_, {0, 1e30}, "weight of the bottleneck");
  fields.real("temperature", temperature_, {1e-6, 1e6}, "of the contrast");
  fields.boolean("is_normalized", normalized_, "features of length 1");
  fields.boolean("is_flipped", flipped_, "other domains' images made likely, in place of the own domain's unlikely");
}

void ContrastiveBottleneck::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  need_domains(2);
}

at::Tensor ContrastiveBottleneck::bottleneck(const at::Tensor& feature_NF, const at::Tensor& label_N,
                                             const at::Tensor& domain_N) const {
  const at::Tensor others = torch::eye(label_N.size(0), label_N.options().dtype(torch::kBool)).logical_not();
  const at::Tensor same_class = equal_pairs(label_N).logical_and(others), same_domain = equal_pairs(domain_N);
  const at::Tensor z = normalized_ ? feature_NF / feature_NF.norm(2, 1, true).clamp_min(1e-12) : feature_NF;
  // The diagonal is 0, and counts where the largest value of a row is looked for, as in the released code.
  const at::Tensor similarity = z.matmul(z.t()) / temperature_ * others.to(z.scalar_type());
  const at::Tensor logit = similarity - std::get<0>(similarity.max(1, true)).detach();
  const at::Tensor domains = flipped_ ? same_domain.logical_not() : same_domain;
  const at::Tensor contrasted = conditional_ ? same_class : others;
  const at::Tensor wanted = conditional_ ? same_class.logical_and(domains) : domains;
  const at::Tensor counted = (conditional_ ? wanted : same_class).any(1).nonzero().flatten();
  if (counted.numel() == 0) return torch::zeros({}, feature_NF.options());
  const auto rows = [&](const at::Tensor& x) { return x.index_select(0, counted); };
  const at::Tensor log_p = rows(logit) - masked_logsumexp(rows(logit), rows(contrasted)).unsqueeze(1);
  const double factor = (flipped_ ? -1 : 1) * temperature_ / kBaseTemperature;
  const at::Tensor each = factor * masked_logsumexp(log_p, rows(wanted)), finite = each.isfinite();
  return finite.any().item<bool>() ? each.masked_select(finite).mean() : torch::zeros({}, feature_NF.options());
}

at::Tensor ContrastiveBottleneck::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  const at::Tensor feature_NF = features(raw.image_NCHW), nll = raw_loss(classify(feature_NF), raw, record);
  const at::Tensor penalty = bottleneck(feature_NF, raw.label_N, domain_places(raw));
  record.scalars["nll"] = nll.item<double>();
  record.scalars["penalty"] = penalty.item<double>();
  return nll + weight_ * penalty;
}

}  // namespace domainfusion
