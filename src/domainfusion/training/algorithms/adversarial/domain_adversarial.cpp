#include "domainfusion/training/algorithms/adversarial/domain_adversarial.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/initialise.h"
#include "domainfusion/training/optimizers/adam.h"

namespace domainfusion {
namespace {

// Every class of the batch weighs alike; up to the largest label there, as in the released code.
at::Tensor class_weights(const at::Tensor& label_N) {
  const at::Tensor count_K = torch::bincount(label_N);
  return (count_K.index_select(0, label_N) * count_K.size(0)).to(torch::kFloat32).reciprocal();
}

}  // namespace

bool is_adversary_turn(std::int64_t step, std::int64_t adversary_steps) {
  return (step + 1) % (1 + adversary_steps) < adversary_steps;
}

void DomainAdversarial::options(ConfigFields& fields) {
  fields.real("lambda", lambda_, {0, 1e30}, "weight of the adversary's loss in the classifier's");
  fields.real("lr_d", lr_, {0, 1e30}, "learning rate of the adversary; it takes the course of optimizer.lr");
  fields.real("weight_decay_d", weight_decay_, {0, 1e30}, "weight decay of the adversary");
  fields.integer("d_steps_per_g_step", adversary_steps_, {1, 1000}, "steps of the adversary between the classifier's");
  fields.real("grad_penalty", gradient_penalty_, {0, 1e30}, "weight of the squared gradient in the adversary's input");
  mlp_.describe(fields);
}

void DomainAdversarial::defaults(TrainingConfig& config) const {
  config.optimizer.beta1 = 0.5;
  config.optimizer.beta2 = 0.9;
}

void DomainAdversarial::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  const std::int64_t features = context.classifier->feature_size();
  discriminator_ = Mlp(features, context.environments, mlp_);
  class_embeddings_ = torch::nn::Embedding(context.classifier->classes(), features);
  adversary_.add("discriminator", discriminator_);
  adversary_.add("class_embeddings", class_embeddings_);
  adversary_.initialise(context.seed, context.device);
  {
    const torch::NoGradGuard no_grad;
    RandomStream stream(context.seed, "init adversary/class_embeddings");
    fill_normal(class_embeddings_->weight, 1, stream);
  }
  adversary_.set_optimizer(
      std::make_unique<Adam>(adversary_.parameters(), AdamOptions{.lr = lr_,
                                                                  .beta1 = context.config.optimizer.beta1,
                                                                  .beta2 = context.config.optimizer.beta2,
                                                                  .weight_decay = weight_decay_}));
}

at::Tensor DomainAdversarial::adversary_loss(const at::Tensor& feature_NF, const Batch& raw, StepDraws& draws) {
  at::Tensor input = conditional_ ? feature_NF + class_embeddings_(raw.label_N) : feature_NF;
  if (gradient_penalty_ > 0 && !input.requires_grad()) input = input.detach().requires_grad_();
  const at::Tensor answer_ND = discriminator_->forward(input, draws), domain_N = domain_places(raw);
  const at::Tensor each_N = torch::cross_entropy_loss(answer_ND, domain_N, {}, at::Reduction::None);
  const at::Tensor loss = conditional_ ? (class_weights(raw.label_N) * each_N).sum() : each_N.mean();
  if (gradient_penalty_ == 0) return loss;
  const at::Tensor gradient = torch::autograd::grad({each_N.sum()}, {input}, {}, true, true)[0];
  return loss + gradient_penalty_ * gradient.square().sum(1).mean();
}

at::Tensor DomainAdversarial::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const at::Tensor feature_NF = features(raw.image_NCHW), nll = raw_loss(classify(feature_NF), raw, record);
  const at::Tensor adversary = adversary_loss(feature_NF, raw, *draws(step));
  record.scalars["nll"] = nll.item<double>();
  record.scalars["adversary_loss"] = adversary.item<double>();
  return nll - lambda_ * adversary;
}

StepRecord DomainAdversarial::update(std::int64_t step, const Batch& raw) {
  if (!is_adversary_turn(step, adversary_steps_)) return Algorithm::update(step, raw);
  StepRecord record{step, {}};
  at::Tensor feature_NF;
  {
    const torch::NoGradGuard no_grad;
    feature_NF = features(raw.image_NCHW);
    count_fit(classify(feature_NF), raw, record);
  }
  const at::Tensor loss = adversary_loss(feature_NF, raw, *draws(step));
  record.scalars["loss"] = loss.item<double>();
  check_loss(step, record.scalars["loss"]);
  adversary_.follow(loss, scheduled(lr_, step));
  return record;
}

}  // namespace domainfusion
