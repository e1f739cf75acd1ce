#include "domainfusion/training/algorithms/adversarial/transfer.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/training/optimizers/sgd.h"

namespace domainfusion {

void Transfer::options(ConfigFields& fields) {
  fields.real("t_lambda", weight_, {0, 1e30}, "weight of the gap");
  fields.real("delta", delta_, {0, 1e30}, "largest distance of the adversary's weights from the head's");
  fields.integer("d_steps_per_g", adversary_steps_, {1, 1000}, "steps of the adversary in each update");
  fields.real("lr_d", lr_, {0, 1e30}, "its learning rate; it takes the course of optimizer.lr");
}

void Transfer::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  head_ = Head(context.classifier->feature_size(), context.classifier->classes(), context.config.classifier.head);
  adversary_.add("adv_classifier", head_);
  adversary_.initialise(context.seed, context.device);
  adversary_.set_optimizer(std::make_unique<Sgd>(adversary_.parameters(), SgdOptions{.lr = lr_}));
  start_at_head();
}

void Transfer::start_at_head() {
  const torch::NoGradGuard no_grad;
  const auto own = head_->parameters(), head = context().classifier->head_parameters();
  for (std::size_t i = 0; i < own.size(); ++i) own[i].copy_(head[i]);
}

void Transfer::stay_near_head() {
  const torch::NoGradGuard no_grad;
  const auto own = head_->parameters(), head = context().classifier->head_parameters();
  double squares = 0;
  for (std::size_t i = 0; i < own.size(); ++i)
    squares += (own[i] - head[i]).square().sum(torch::kFloat64).item<double>();
  if (squares <= delta_ * delta_) return;
  for (std::size_t i = 0; i < own.size(); ++i) own[i].copy_(head[i] + delta_ / std::sqrt(squares) * (own[i] - head[i]));
}

at::Tensor Transfer::gap(const std::vector<at::Tensor>& features_NF, const std::vector<Batch>& domains) {
  std::vector<at::Tensor> losses;
  for (std::size_t d = 0; d < domains.size(); ++d)
    losses.push_back(classification_loss(head_->forward(features_NF[d]), domains[d].label_N));
  const at::Tensor loss_D = torch::stack(losses);
  return weight_ * (loss_D[loss_D.argmax().item<std::int64_t>()] - loss_D[loss_D.argmin().item<std::int64_t>()]);
}

StepRecord Transfer::update(std::int64_t step, const Batch& raw) {
  StepRecord record = Algorithm::update(step, raw);
  const std::vector<Batch> domains = by_domain(raw);
  std::vector<at::Tensor> features_NF;
  const auto look = [&] {
    features_NF.clear();
    for (const Batch& domain : domains) features_NF.push_back(features(domain.image_NCHW));
  };
  Optimizer& optimizer = *context().optimizer;
  optimizer.zero_grad();
  look();
  const at::Tensor before = gap(features_NF, domains);
  check_loss(step, before.item<double>());
  before.backward();
  // The head has a gradient of zero, along which Adam's moments still move it.
  for (at::Tensor& weight : context().classifier->head_parameters()) weight.mutable_grad() = torch::zeros_like(weight);
  optimizer.step();
  start_at_head();
  {
    const torch::NoGradGuard no_grad;
    look();
  }
  for (std::int64_t i = 0; i < adversary_steps_; ++i) {
    const at::Tensor apart = gap(features_NF, domains);
    record.scalars["gap"] = apart.item<double>();
    adversary_.follow(-apart, scheduled(lr_, step));
    stay_near_head();
  }
  return record;
}

}  // namespace domainfusion
