#include "domainfusion/training/algorithms/mixing/mixup.h"

#include <torch/types.h>

namespace domainfusion {

void Mixup::options(ConfigFields& fields) {
  fields.real("mixup_alpha", alpha_, {1e-3, 1e3}, "the first image's share is drawn from Beta(alpha, alpha)");
}

// The fit is that to the label of the larger share.
at::Tensor Mixup::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const auto drawn = draws(step);
  const std::vector<Batch> domains = by_domain(raw);
  const auto count = static_cast<std::int64_t>(domains.size());
  const at::Tensor order = drawn->permutation(count);
  const auto domain_at = [&](std::int64_t place) -> const Batch& {
    return domains[static_cast<std::size_t>(order[place % count].item<std::int64_t>())];
  };
  std::vector<at::Tensor> losses;
  for (std::int64_t i = 0; i < count; ++i) {
    const Batch &one = domain_at(i), &other = domain_at(i + 1);
    const std::int64_t images = std::min(one.size(), other.size());
    const auto first = [&](const at::Tensor& rows) { return rows.narrow(0, 0, images); };
    const double share = drawn->beta(alpha_);
    const at::Tensor logits_NK = logits(share * first(one.image_NCHW) + (1 - share) * first(other.image_NCHW));
    losses.push_back(share * classification_loss(logits_NK, first(one.label_N)) +
                     (1 - share) * classification_loss(logits_NK, first(other.label_N)));
    const Batch& larger = share >= 0.5 ? one : other;
    count_fit(logits_NK,
              {first(larger.image_NCHW), first(larger.label_N), first(larger.domain_N), first(larger.index_N)}, record);
  }
  return torch::stack(losses).mean();
}

}  // namespace domainfusion
