#include "domainfusion/training/algorithms/meta/mldg.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/weights_scope.h"
#include "domainfusion/training/make_optimizer.h"

namespace domainfusion {
namespace {

Batch first_images(const Batch& batch, std::int64_t count) {
  return {batch.image_NCHW.narrow(0, 0, count), batch.label_N.narrow(0, 0, count), batch.domain_N.narrow(0, 0, count),
          batch.index_N.narrow(0, 0, count)};
}

}  // namespace

void Mldg::options(ConfigFields& fields) {
  fields.real("mldg_beta", beta_, {0, 1e30}, "weight of the meta-test losses");
  fields.integer("n_meta_test", meta_test_domains_, {1, 1000}, "source domains of a step that are meta-test domains");
}

void Mldg::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  const std::int64_t sources = context.environments;
  check<ConfigError>(meta_test_domains_ < sources,
                     "mldg.n_meta_test = {}: this run has {} source domains, of which one at least has to be left to "
                     "train on",
                     meta_test_domains_, sources);
}

// Batch norm's statistics follow all of its passes; in DomainBed, which copies the network, they stay as they begin.
double Mldg::add_gradients(std::int64_t step, const Batch& raw, StepRecord& record) {
  const std::vector<Batch> domains = by_domain(raw);
  const auto count = static_cast<std::int64_t>(domains.size());
  const at::Tensor order = draws(step)->permutation(count);
  const auto domain_at = [&](std::int64_t place) -> const Batch& {
    return domains[static_cast<std::size_t>(order[place].item<std::int64_t>())];
  };
  std::vector<at::Tensor> weights = parameters(), sum(weights.size());
  const auto take_gradients = [&](const at::Tensor& loss, double share) {
    const auto gradients = torch::autograd::grad({loss}, weights, {}, {}, false, /*allow_unused=*/true);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!gradients[i].defined()) continue;
      const at::Tensor part = gradients[i] * (share / static_cast<double>(count));
      sum[i] = sum[i].defined() ? sum[i] + part : part;
    }
    return gradients;
  };
  double objective = 0;
  {
    WeightsScope start(*context().classifier);
    start.keep_buffers();
    const std::int64_t trained = count - meta_test_domains_;
    for (std::int64_t i = 0; i < trained; ++i) {
      const Batch &one = domain_at(i), &other = domain_at(trained + i % meta_test_domains_);
      const std::int64_t images = std::min(one.size(), other.size());
      start.restore();
      const Batch train = first_images(one, images), test = first_images(other, images);
      const at::Tensor loss = raw_loss(logits(train.image_NCHW), train, record);
      const auto gradients = take_gradients(loss, 1);
      for (std::size_t w = 0; w < weights.size(); ++w) weights[w].mutable_grad() = gradients[w];
      OptimizerConfig inner = context().config.optimizer;
      inner.lr = context().optimizer->lr();
      make_optimizer(inner, weights)->step();
      const at::Tensor test_loss = classification_loss(logits(test.image_NCHW), test.label_N);
      take_gradients(test_loss, beta_);
      objective += loss.item<double>() + beta_ * test_loss.item<double>();
    }
  }
  for (std::size_t w = 0; w < weights.size(); ++w) weights[w].mutable_grad() = sum[w];
  objective /= static_cast<double>(count);
  check_loss(step, objective);
  return objective;
}

}  // namespace domainfusion
