#include "domainfusion/training/algorithms/penalties/miro.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/nn/autocast.h"

namespace domainfusion {
namespace {

constexpr double kVarianceEps = 1e-5, kFirstVariance = 0.1;

struct Seen {
  std::vector<at::Tensor> maps;  // of stem and stages, or the features alone
  at::Tensor feature_NF;
};

Seen seen_by(Classifier& classifier, const at::Tensor& image_NCHW) {
  Seen seen;
  auto* network = dynamic_cast<Resnet*>(&classifier->backbone());
  if (network) {
    network->set_stage_transform([&](int, const at::Tensor& map) {
      seen.maps.push_back(map.to(torch::kFloat32));
      return map;
    });
  }
  seen.feature_NF = classifier->features(image_NCHW).to(torch::kFloat32);
  if (network) {
    network->set_stage_transform({});
  } else {
    seen.maps = {seen.feature_NF};
  }
  return seen;
}

}  // namespace

at::Tensor miro_penalty(const at::Tensor& map, const at::Tensor& fixed_map, const at::Tensor& b_C) {
  std::vector<std::int64_t> per_channel(static_cast<std::size_t>(map.dim()), 1);
  per_channel[1] = -1;
  const at::Tensor variance = (torch::softplus(b_C) + kVarianceEps).view(per_channel);
  return 0.5 * ((map - fixed_map).square() / variance + variance.log()).mean();
}

void Miro::options(ConfigFields& fields) {
  fields.real("lambda", lambda_, {0, 1e30}, "weight of the distance from the first features");
  fields.real("variance_lr_multiplier", variance_lr_multiplier_, {0, 1e6},
              "learning rate of the variances in units of optimizer.lr");
}

void Miro::add_networks(torch::nn::Module& beside, const NetworkRequest& request) {
  const torch::NoGradGuard no_grad;
  Classifier classifier = request.classifier;
  std::vector<std::int64_t> channels{classifier->feature_size()};
  if (dynamic_cast<Resnet*>(&classifier->backbone())) {
    channels.clear();
    classifier->eval();
    const at::Tensor blank =
        torch::zeros({1, 3, request.image_size_px, request.image_size_px}, classifier->parameters().front().options());
    for (const at::Tensor& map : seen_by(classifier, blank.detach()).maps) channels.push_back(map.size(1));
    classifier->train();
  }
  const auto root = beside.register_module("variances", std::make_shared<torch::nn::Module>());
  const double first = std::log(std::expm1(kFirstVariance - kVarianceEps));
  for (std::size_t i = 0; i < channels.size(); ++i)
    variance_C_.push_back(root->register_parameter(std::to_string(i), torch::full({channels[i]}, first)));
}

void Miro::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  fixed_ = context.another_classifier(context.seed);
  fixed_->eval();
  for (at::Tensor& parameter : fixed_->parameters()) parameter.requires_grad_(false);
  context.optimizer->scale_lr(variance_C_, variance_lr_multiplier_);
}

// The fixed network's pass.
PlannedWork Miro::planned_work(const WorkSizes& sizes) const {
  PlannedWork work;
  work.classifier_images = static_cast<double>(sizes.batch_size * sizes.sources * sizes.steps);
  return work;
}

at::Tensor Miro::loss(std::int64_t, const Batch& raw, StepRecord& record) {
  Seen now, first;
  {
    const Autocast autocast(context().precision);
    now = seen_by(context().classifier, raw.image_NCHW);
    const torch::NoGradGuard no_grad;
    first = seen_by(fixed_, raw.image_NCHW);
  }
  const at::Tensor nll = raw_loss(classify(now.feature_NF), raw, record);
  at::Tensor penalty = torch::zeros({}, nll.options());
  for (std::size_t i = 0; i < now.maps.size(); ++i)
    penalty = penalty + miro_penalty(now.maps[i], first.maps[i], variance_C_[i]);
  record.scalars["nll"] = nll.item<double>();
  record.scalars["penalty"] = penalty.item<double>();
  return nll + lambda_ * penalty;
}

}  // namespace domainfusion
