#include "domainfusion/training/algorithms/adversarial/adrmx.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/initialise.h"
#include "domainfusion/training/algorithms/adversarial/domain_adversarial.h"
#include "domainfusion/training/optimizers/adam.h"

namespace domainfusion {

at::Tensor domain_contrastive_loss(const at::Tensor& feature_NF, const at::Tensor& label_N,
                                   const at::Tensor& domain_N) {
  constexpr double kTemperature = 0.07, kEps = 1e-5, kPairWeight = 0.5;
  const std::int64_t images = feature_NF.size(0);
  const at::Tensor z = feature_NF / feature_NF.norm(2, 1, true).clamp_min(1e-12);
  const at::Tensor others = torch::eye(images, label_N.options().dtype(torch::kBool)).logical_not();
  const at::Tensor weighed = kPairWeight * (z.matmul(z.t()) / kTemperature).exp() * others;
  const at::Tensor positive = label_N.unsqueeze(1).eq(label_N.unsqueeze(0)).logical_and(others);
  const at::Tensor log_share = (weighed / (weighed.sum(1, true) + kEps) + kEps).log();
  const at::Tensor positives_N = positive.sum(1), counted = positives_N.gt(0);
  const at::Tensor loss_N = (log_share * positive).sum(1) / positives_N.clamp_min(1);
  return -(loss_N * counted).sum() / (counted.sum() + 1);
}

void Adrmx::options(ConfigFields& fields) {
  fields.real("cnt_lambda", contrast_, {0, 1e30}, "weight of the contrastive losses");
  fields.real("dclf_lambda", domain_, {0, 1e30}, "weight of the domain's cross-entropy");
  fields.real("disc_lambda", adversary_weight_, {0, 1e30}, "weight of the adversary's loss");
  fields.real("rmxd_lambda", remix_, {0, 1e30}, "weight of the loss of remixed features");
  fields.integer("d_steps_per_g_step", adversary_steps_, {1, 1000}, "steps of the adversary between the classifier's");
  mlp_.describe(fields);
}

void Adrmx::defaults(TrainingConfig& config) const {
  config.optimizer.beta1 = 0.5;
  config.optimizer.beta2 = 0.9;
  config.classifier.head = HeadKind::kMlp;
}

void Adrmx::add_networks(torch::nn::Module& beside, const NetworkRequest& request) {
  const std::int64_t features = request.classifier->feature_size();
  RandomStream seeds(request.seed, "adrmx domain network");
  domain_network_ = request.another(seeds.next_u64());
  combined_head_ = Head(features, request.classifier->classes(), HeadKind::kMlp);
  domain_head_ = Head(features, request.environments, HeadKind::kMlp);
  initialise_parameters(*combined_head_, request.seed, "init classifier_label_2");
  initialise_parameters(*domain_head_, request.seed, "init classifier_domain");
  beside.register_module("featurizer_domain", domain_network_);
  beside.register_module("classifier_label_2", combined_head_);
  beside.register_module("classifier_domain", domain_head_);
}

void Adrmx::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  discriminator_ = Mlp(context.classifier->feature_size(), context.environments, mlp_);
  adversary_.add("discriminator", discriminator_);
  adversary_.initialise(context.seed, context.device);
  const OptimizerConfig& optimizer = context.config.optimizer;
  adversary_.set_optimizer(std::make_unique<Adam>(
      adversary_.parameters(), AdamOptions{.lr = optimizer.lr, .beta1 = optimizer.beta1, .beta2 = optimizer.beta2}));
}

Adrmx::Features Adrmx::both_features(const Batch& raw) {
  const Autocast autocast(context().precision);
  return {context().classifier->features(raw.image_NCHW).to(torch::kFloat32),
          domain_network_->features(raw.image_NCHW).to(torch::kFloat32)};
}

// As in the released code: two draws among as many of the batch's first rows as the class has images.
at::Tensor Adrmx::remix_loss(const Features& features, const at::Tensor& label_N, StepDraws& draws) {
  const std::int64_t classes = context().classifier->classes();
  const at::Tensor combined_NF = features.combined_NF();
  at::Tensor sum = torch::zeros({}, combined_NF.options());
  for (std::int64_t k = 0; k < classes; ++k) {
    const at::Tensor drawn = draws.permutation(label_N.eq(k).sum().item<std::int64_t>());
    if (drawn.numel() < 2) continue;
    const auto first = drawn[0].item<std::int64_t>(), second = drawn[1].item<std::int64_t>();
    const at::Tensor remixed = combined_NF[first] + features.domain_NF[second];
    sum = sum + classification_loss(classify(remixed.unsqueeze(0)), label_N[first].unsqueeze(0));
  }
  return sum / static_cast<double>(classes);
}

at::Tensor Adrmx::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const Features features = both_features(raw);
  const at::Tensor combined_NF = features.combined_NF(), domain_N = domain_places(raw);
  const auto drawn = draws(step);
  const at::Tensor adversary = classification_loss(discriminator_->forward(combined_NF, *drawn), domain_N);
  const at::Tensor nll = raw_loss(classify(features.label_NF), raw, record);
  const at::Tensor final_nll = classification_loss(combined_head_->forward(combined_NF), raw.label_N);
  const at::Tensor domain_nll = classification_loss(domain_head_->forward(features.domain_NF), domain_N);
  const at::Tensor contrast = domain_contrastive_loss(features.label_NF, raw.label_N, domain_N);
  const at::Tensor final_contrast = domain_contrastive_loss(combined_NF, raw.label_N, domain_N);
  const at::Tensor remixed = remix_loss(features, raw.label_N, *drawn);
  record.scalars["nll"] = nll.item<double>();
  record.scalars["loss_clf_fin"] = final_nll.item<double>();
  record.scalars["loss_dmn"] = domain_nll.item<double>();
  record.scalars["loss_cnt_int"] = contrast.item<double>();
  record.scalars["loss_cnt_final"] = final_contrast.item<double>();
  record.scalars["loss_remixed"] = remixed.item<double>();
  record.scalars["loss_disc"] = adversary.item<double>();
  return nll + final_nll + domain_ * domain_nll + remix_ * remixed + contrast_ * (contrast + final_contrast) -
         adversary_weight_ * adversary;
}

StepRecord Adrmx::update(std::int64_t step, const Batch& raw) {
  if (!is_adversary_turn(step, adversary_steps_)) return Algorithm::update(step, raw);
  StepRecord record{step, {}};
  Features features;
  {
    const torch::NoGradGuard no_grad;
    features = both_features(raw);
    count_fit(classify(features.label_NF), raw, record);
  }
  const at::Tensor loss =
      classification_loss(discriminator_->forward(features.combined_NF(), *draws(step)), domain_places(raw));
  record.scalars["loss"] = record.scalars["loss_disc"] = loss.item<double>();
  check_loss(step, record.scalars["loss"]);
  adversary_.follow(loss, context().optimizer->lr());
  return record;
}

}  // namespace domainfusion
