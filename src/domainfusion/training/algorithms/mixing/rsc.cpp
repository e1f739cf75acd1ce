#include "domainfusion/training/algorithms/mixing/rsc.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <cmath>

namespace domainfusion {

// In float64, and rounded, as there: thresholds are often values of the row themselves.
at::Tensor row_percentile(const at::Tensor& value_NF, double share) {
  const std::int64_t last = value_NF.size(1) - 1;
  const double place = share * static_cast<double>(last);
  const auto below = std::min(static_cast<std::int64_t>(std::floor(place)), last), above = std::min(below + 1, last);
  const at::Tensor sorted_NF = std::get<0>(value_NF.to(torch::kFloat64).sort(1));
  const at::Tensor low = sorted_NF.narrow(1, below, 1), high = sorted_NF.narrow(1, above, 1);
  return (low + (high - low) * (place - static_cast<double>(below))).to(value_NF.scalar_type());
}

void Rsc::options(ConfigFields& fields) {
  fields.real("rsc_f_drop_factor", muted_features_, {0, 1}, "share of the features that is muted");
  fields.real("rsc_b_drop_factor", muted_images_, {0, 1}, "share of the images in which they are");
}

at::Tensor Rsc::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  const at::Tensor feature_NF = features(raw.image_NCHW), logits_NK = classify(feature_NF);
  const at::Tensor one_hot_NK = torch::one_hot(raw.label_N, logits_NK.size(1)).to(logits_NK.scalar_type());
  const at::Tensor gradient_NF = torch::autograd::grad({(logits_NK * one_hot_NK).sum()}, {feature_NF}, {}, true)[0];
  const at::Tensor kept_NF = gradient_NF.lt(row_percentile(gradient_NF, 1 - muted_features_));
  const auto right = [&](const at::Tensor& logits) { return (logits.softmax(1) * one_hot_NK).sum(1); };
  const at::Tensor change_N = (right(logits_NK) - right(classify(feature_NF * kept_NF))).detach();
  const at::Tensor spared_N1 = change_N.lt(row_percentile(change_N.unsqueeze(0), 1 - muted_images_)[0]).unsqueeze(1);
  return raw_loss(classify(feature_NF * kept_NF.logical_or(spared_N1)), raw, record);
}

}  // namespace domainfusion
