#include "domainfusion/training/algorithms/alignment/self_reg.h"

#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace domainfusion {
namespace {

constexpr double kBetaAlpha = 0.5, kFeatureWeight = 0.3;

// Each row's partner: another row of its class, by permutations of the classes' rows; `label_N` ascends. In the order
// and number of the released code's draws: two for each class, and two of nothing where class 0 is absent.
std::pair<at::Tensor, at::Tensor> partners_of_classes(const at::Tensor& label_N, StepDraws& draws) {
  const at::Tensor labels = label_N.cpu().contiguous();
  const auto* label = labels.data_ptr<std::int64_t>();
  std::vector<std::int64_t> ends;
  std::int64_t current = 0;
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    if (label[i] != current) ends.push_back(i);
    current = label[i];
  }
  ends.push_back(labels.numel());
  std::vector<at::Tensor> first, second;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    first.push_back(draws.permutation(end - begin) + begin);
    second.push_back(draws.permutation(end - begin) + begin);
    begin = end;
  }
  return {torch::cat(first).to(label_N.device()), torch::cat(second).to(label_N.device())};
}

}  // namespace

void SelfReg::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  const std::int64_t features = context.classifier->feature_size();
  const std::int64_t hidden = features == 2048 ? features : 2 * features;
  torch::nn::Sequential projection(torch::nn::Linear(features, hidden), torch::nn::BatchNorm1d(hidden),
                                   torch::nn::ReLU(), torch::nn::Linear(hidden, hidden), torch::nn::BatchNorm1d(hidden),
                                   torch::nn::ReLU(), torch::nn::Linear(hidden, features),
                                   torch::nn::BatchNorm1d(features));
  side_.add("cdpl", projection);
  side_.initialise(context.seed, context.device);
  project_ = [projection](const at::Tensor& feature_NF) mutable { return projection->forward(feature_NF); };
}

at::Tensor SelfReg::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const auto drawn = draws(step);
  const double share = drawn->beta(kBetaAlpha);
  const at::Tensor order = std::get<1>(raw.label_N.sort()), order_cpu = order.cpu();
  const Batch sorted{raw.image_NCHW.index_select(0, order), raw.label_N.index_select(0, order),
                     raw.domain_N.index_select(0, order_cpu), raw.index_N.index_select(0, order_cpu)};
  const at::Tensor feature_NF = features(sorted.image_NCHW), projected_NF = project_(feature_NF);
  const at::Tensor logits_NK = classify(feature_NF), nll = raw_loss(logits_NK, sorted, record);
  const auto [first, second] = partners_of_classes(sorted.label_N, *drawn);
  // Distance to the first partner, and to the mixture of both.
  const auto distances = [&, first = first, second = second](const at::Tensor& own, const at::Tensor& others) {
    const at::Tensor partner = others.index_select(0, first);
    const at::Tensor mixture = share * partner + (1 - share) * others.index_select(0, second);
    return share * torch::mse_loss(own, partner) + (1 - share) * torch::mse_loss(own, mixture);
  };
  const double scale = std::min(nll.item<double>(), 1.0);
  return nll + scale * (distances(logits_NK, logits_NK) + kFeatureWeight * distances(feature_NF, projected_NF));
}

}  // namespace domainfusion
