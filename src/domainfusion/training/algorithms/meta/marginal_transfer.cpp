#include "domainfusion/training/algorithms/meta/marginal_transfer.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/nn/initialise.h"

namespace domainfusion {

// The head of 2 F inputs as a whole is drawn from U(-1/sqrt(2 F), 1/sqrt(2 F)); the classifier's half keeps its own
// draw.
void MarginalTransfer::add_networks(torch::nn::Module& beside, const NetworkRequest& request) {
  const std::int64_t features = request.classifier->feature_size();
  embedding_head_ = torch::nn::Linear(torch::nn::LinearOptions(features, request.classifier->classes()).bias(false));
  const torch::NoGradGuard no_grad;
  RandomStream stream(request.seed, "init embedding_head");
  fill_uniform(embedding_head_->weight, 1 / std::sqrt(2 * static_cast<double>(features)), stream);
  beside.register_module("embedding_head", embedding_head_);
}

void MarginalTransfer::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  check<ConfigError>(context.config.classifier.head == HeadKind::kLinear,
                     "mtl adds inputs to a linear head: set classifier.head to linear");
}

at::Tensor MarginalTransfer::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const auto drawn = draws(step);
  std::vector<at::Tensor> logits_NK, losses;
  for (const Batch& domain : by_domain(raw)) {
    const at::Tensor feature_NF = features(domain.image_NCHW);
    const at::Tensor noise_NF = drawn->normal(feature_NF.sizes()).to(feature_NF.device());
    logits_NK.push_back(classify(feature_NF) + embedding_head_(noise_NF));
    losses.push_back(classification_loss(logits_NK.back(), domain.label_N));
  }
  count_fit(torch::cat(logits_NK), raw, record);
  return torch::stack(losses).sum();
}

}  // namespace domainfusion
