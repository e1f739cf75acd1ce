#include "domainfusion/training/algorithms/alignment/feature_matching.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/training/algorithms/shared/feature_distances.h"

namespace domainfusion {

void FeatureMatching::options(ConfigFields& fields) {
  fields.real("mmd_gamma", weight_, {0, 1e30}, "weight of the distance between domains' features");
}

void FeatureMatching::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  need_images(2);
}

at::Tensor FeatureMatching::distance(const at::Tensor& a_NF, const at::Tensor& b_MF) const {
  return distance_ == FeatureDistance::kMmd ? mmd(a_NF, b_MF) : moment_distance(a_NF, b_MF);
}

at::Tensor FeatureMatching::penalty(std::int64_t, const std::vector<at::Tensor>& features_NF) {
  std::vector<at::Tensor> distances;
  for (std::size_t i = 0; i < features_NF.size(); ++i) {
    for (std::size_t j = i + 1; j < features_NF.size(); ++j) {
      distances.push_back(distance(features_NF[i], features_NF[j]));
    }
  }
  if (distances.empty()) return torch::zeros({}, features_NF.front().options());
  return torch::stack(distances).mean();
}

at::Tensor FeatureMatching::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const AnswersByDomain answers = answers_apart(raw, record);
  const at::Tensor nll = answers.loss_D.mean(), apart = penalty(step, answers.features_NF);
  record.scalars["nll"] = nll.item<double>();
  record.scalars["penalty"] = apart.item<double>();
  return nll + weight_ * apart;
}

at::Tensor CausIrl::penalty_of_cuts(const std::vector<at::Tensor>& features_NF,
                                    const std::vector<std::int64_t>& cuts) const {
  std::vector<at::Tensor> first, second;
  for (std::size_t d = 0; d < cuts.size(); ++d) {
    const std::int64_t images = features_NF[d].size(0);
    first.push_back(features_NF[d].slice(0, 0, cuts[d]));
    second.push_back(features_NF[d].slice(0, cuts[d], images));
  }
  const at::Tensor a_NF = torch::cat(first), b_MF = torch::cat(second);
  if (a_NF.size(0) < 2 || b_MF.size(0) < 2) return torch::zeros({}, a_NF.options());
  return distance(a_NF, b_MF).nan_to_num();
}

at::Tensor CausIrl::penalty(std::int64_t step, const std::vector<at::Tensor>& features_NF) {
  const auto drawn = draws(step);
  std::vector<std::int64_t> cuts;
  for (const at::Tensor& domain : features_NF) cuts.push_back(drawn->below(domain.size(0)));
  return penalty_of_cuts(features_NF, cuts);
}

}  // namespace domainfusion
