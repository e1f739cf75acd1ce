#include "domainfusion/training/algorithms/adversarial/uniform_risk.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/training/optimizers/adam.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kDiscriminatorWidth = 100;

at::Tensor binary_loss(const at::Tensor& logit_N, const at::Tensor& wanted_N) {
  return torch::binary_cross_entropy_with_logits(logit_N, wanted_N);
}

}  // namespace

void UniformRisk::options(ConfigFields& fields) {
  fields.real("urm_adv_lambda", weight_, {0, 1e30}, "weight of the adversary in the classifier's loss, and in its own");
  fields.real("urm_discriminator_label_smoothing", smoothing_, {0, 0.5}, "most that its labels differ from 0 and 1");
  fields.integer("urm_discriminator_hidden_layers", hidden_layers_, {0, 64},
                 "its layers between the first and the last");
  fields.real("urm_discriminator_lr", lr_, {0, 1e30}, "its learning rate; it takes the course of optimizer.lr");
}

void UniformRisk::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  check<ConfigError>(context.config.classifier.activation != FeatureActivation::kIdentity,
                     "urm: uniform noise has a range, which features without an activation have not: set "
                     "classifier.activation to tanh, sigmoid or relu");
  const auto discriminator = std::make_shared<torch::nn::Module>();
  const auto add = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    layers_.push_back(discriminator->register_module(name, torch::nn::Linear(in, out)));
  };
  layers_.clear();
  add("dense1", context.classifier->feature_size(), kDiscriminatorWidth);
  for (std::int64_t i = 0; i < hidden_layers_; ++i)
    add(fmt::format("dense{}", 2 + i), kDiscriminatorWidth, kDiscriminatorWidth);
  add("output", kDiscriminatorWidth, 1);
  adversary_.add("discriminator", discriminator);
  adversary_.initialise(context.seed, context.device);
  adversary_.set_optimizer(std::make_unique<Adam>(
      adversary_.parameters(), AdamOptions{.lr = lr_, .weight_decay = context.config.optimizer.weight_decay}));
}

at::Tensor UniformRisk::judged(at::Tensor feature_NF) {
  for (std::size_t i = 0; i < layers_.size(); ++i)
    feature_NF = layers_[i](i == 0 ? feature_NF : torch::leaky_relu(feature_NF));
  return feature_NF.squeeze(1);
}

at::Tensor UniformRisk::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  const at::Tensor feature_NF = features(raw.image_NCHW), nll = raw_loss(classify(feature_NF), raw, record);
  const at::Tensor logit_N = judged(feature_NF);
  if (!is_second_look()) features_NF_ = feature_NF.detach();
  record.scalars["nll"] = nll.item<double>();
  return nll + weight_ * binary_loss(logit_N, torch::ones_like(logit_N));
}

StepRecord UniformRisk::update(std::int64_t step, const Batch& raw) {
  StepRecord record = Algorithm::update(step, raw);
  const auto drawn = draws(step);
  const double low = context().config.classifier.activation == FeatureActivation::kTanh ? -1 : 0;
  const auto on_device = [&](const at::Tensor& values) { return values.to(features_NF_.device()); };
  const at::Tensor noise_NF = on_device((1 - low) * drawn->uniform(features_NF_.sizes()) + low);
  at::Tensor noise_label = torch::ones({noise_NF.size(0)}), feature_label = torch::zeros_like(noise_label);
  if (smoothing_ > 0) {
    noise_label = smoothing_ * drawn->uniform({noise_NF.size(0)}) + (1 - smoothing_);
    feature_label = smoothing_ * drawn->uniform({noise_NF.size(0)});
  }
  const at::Tensor loss = binary_loss(judged(noise_NF), on_device(noise_label)) +
                          weight_ * binary_loss(judged(features_NF_), on_device(feature_label));
  record.scalars["adversary_loss"] = loss.item<double>();
  adversary_.follow(loss, scheduled(lr_, step));
  return record;
}

}  // namespace domainfusion
