// Algorithms for which there are no recorded numbers, against their formulas written out in float64.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/algorithms/meta/adaptive_risk.h"
#include "domainfusion/training/algorithms/meta/trm.h"
#include "domainfusion/training/algorithms/penalties/fishr.h"
#include "domainfusion/training/algorithms/penalties/miro.h"
#include "domainfusion/training/make_optimizer.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kFeatures = 5, kClasses = 3, kDomains = 2, kPerDomain = 4;

class IdentityBackbone final : public Backbone {
 public:
  at::Tensor features(const at::Tensor& x) override { return x; }
  int64_t feature_size() const override { return kFeatures; }
  std::string head_name() const override { return "fc"; }
  void initialise(std::uint64_t) override {}
};

at::Tensor float64(const at::Tensor& x) { return x.detach().to(torch::kFloat64); }

Batch feature_batch() {
  torch::manual_seed(3);
  const std::int64_t images = kDomains * kPerDomain;
  return {torch::randn({images, kFeatures}), torch::arange(images) % kClasses,
          torch::arange(images).div(kPerDomain, "floor"), torch::arange(images)};
}

// An algorithm on a linear head alone.
struct LinearRun {
  RunSetup setup;
  TrainingContext context;
  std::unique_ptr<Optimizer> optimizer;
  at::Tensor weight, bias;  // before the update, float64

  LinearRun(const std::string& algorithm, const std::vector<std::string>& overrides)
      : setup(make_run_setup({}, overrides, {{"algorithm", algorithm}})) {
    context.config = setup.config;
    context.total_steps = 10;
    context.environments = kDomains;
    context.classifier = Classifier(std::make_shared<IdentityBackbone>(), setup.config.classifier, kClasses, 7);
    const auto another = [config = setup.config.classifier](std::uint64_t seed) {
      return Classifier(std::make_shared<IdentityBackbone>(), config, kClasses, seed);
    };
    add_networks(*setup.algorithm, context.classifier, {context.classifier, another, kDomains, 0, 7});
    optimizer = make_optimizer(setup.config.optimizer, context.classifier->parameters());
    context.optimizer = optimizer.get();
    setup.algorithm->prepare(context);
    const auto head = context.classifier->head_parameters();
    weight = float64(head[0]).clone();
    bias = float64(head[1]).clone();
  }
  StepRecord update(std::int64_t step = 0) {
    setup.algorithm->before_step(step);
    return setup.algorithm->update(step, feature_batch());
  }
  at::Tensor weight_now() const { return float64(context.classifier->head_parameters()[0]); }
  at::Tensor bias_now() const { return float64(context.classifier->head_parameters()[1]); }
};

struct Gradient {
  at::Tensor weight, bias;
  double norm() const { return std::sqrt((weight.square().sum() + bias.square().sum()).item<double>()); }
};

// Of the mean cross-entropy of softmax(x W^T + b).
Gradient softmax_gradient(const at::Tensor& weight, const at::Tensor& bias) {
  const Batch batch = feature_batch();
  const at::Tensor x = float64(batch.image_NCHW);
  const at::Tensor residual = (x.matmul(weight.t()) + bias).softmax(1) - torch::one_hot(batch.label_N, kClasses);
  return {residual.t().matmul(x) / static_cast<double>(batch.size()), residual.mean(0)};
}

const std::vector<std::string> kPlainSgd{"optimizer.name=sgd", "optimizer.lr=0.5", "optimizer.momentum=0",
                                         "optimizer.sharpness_rho=0.3", "optimizer.sharpness_alpha=0.2"};

std::vector<std::string> with(std::vector<std::string> options, const std::string& more) {
  options.push_back(more);
  return options;
}

void expect_near(const at::Tensor& made, const at::Tensor& expected, double tolerance) {
  ASSERT_EQ(made.sizes(), expected.sizes());
  EXPECT_LT((float64(made) - float64(expected)).abs().max().item<double>(), tolerance);
}

}  // namespace

TEST(AlgorithmFormulas, SamStepsAlongTheGradientAtTheSharpestPointNearby) {
  LinearRun run("erm", with(kPlainSgd, "optimizer.sharpness=sam"));
  run.update();
  const Gradient here = softmax_gradient(run.weight, run.bias);
  const double length = 0.3 / here.norm();
  const Gradient there = softmax_gradient(run.weight + length * here.weight, run.bias + length * here.bias);
  expect_near(run.weight_now(), run.weight - 0.5 * there.weight, 1e-6);
  expect_near(run.bias_now(), run.bias - 0.5 * there.bias, 1e-6);
  EXPECT_GT((there.weight - here.weight).abs().max().item<double>(), 1e-3);
}

TEST(AlgorithmFormulas, SagmAddsTheGradientAtAPointMovedDownTheSlope) {
  LinearRun run("erm", with(kPlainSgd, "optimizer.sharpness=sagm"));
  run.update();
  const Gradient here = softmax_gradient(run.weight, run.bias);
  const double length = 0.3 / here.norm() - 0.2;
  const Gradient there = softmax_gradient(run.weight + length * here.weight, run.bias + length * here.bias);
  expect_near(run.weight_now(), run.weight - 0.5 * (here.weight + there.weight), 1e-6);
  expect_near(run.bias_now(), run.bias - 0.5 * (here.bias + there.bias), 1e-6);
}

TEST(AlgorithmFormulas, RdmMatchesTheWorstDomainsRisksWithAll) {
  const std::vector<std::string> options{"rdm.rdm_penalty_anneal_iters=0", "rdm.rdm_lambda=2", "rdm.variance_weight=3"};
  LinearRun run("rdm", options);
  const StepRecord record = run.update();
  const Batch batch = feature_batch();
  const at::Tensor log_p = (float64(batch.image_NCHW).matmul(run.weight.t()) + run.bias).log_softmax(1);
  const at::Tensor risk_N = -log_p.gather(1, batch.label_N.unsqueeze(1)).squeeze(1);
  const at::Tensor risk_DN = risk_N.view({kDomains, kPerDomain});
  const at::Tensor worst_N = risk_DN[risk_DN.mean(1).argmax().item<std::int64_t>()];
  const auto kernel = [](const at::Tensor& a, const at::Tensor& b) {
    double sum = 0;
    for (std::int64_t i = 0; i < a.size(0); ++i) {
      for (std::int64_t j = 0; j < b.size(0); ++j) {
        const double apart = a[i].item<double>() - b[j].item<double>();
        for (const double gamma : {1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3}) sum += std::exp(-gamma * apart * apart);
      }
    }
    return sum / static_cast<double>(a.size(0) * b.size(0));
  };
  const double apart = kernel(worst_N, worst_N) + kernel(risk_N, risk_N) - 2 * kernel(worst_N, risk_N);
  const double variance = risk_N.var().item<double>() + worst_N.var().item<double>();
  EXPECT_NEAR(record.scalars.at("matching_penalty"), apart, 1e-4);
  EXPECT_NEAR(record.scalars.at("loss"), risk_N.mean().item<double>() + 2 * apart + 3 * variance, 3e-4);
}

TEST(AlgorithmFormulas, MtlsHeadSeesNoiseBesideTheFeatures) {
  struct Noise final : StepDraws {
    Noise() : StepDraws(RandomStream(0, "unused")) {}
    at::Tensor normal(at::IntArrayRef sizes) override { return torch::full(sizes, ++calls / 2.0); }
    int calls = 0;
  };
  LinearRun run("mtl", {"optimizer.lr=0"});
  dynamic_cast<DomainAlgorithm&>(*run.setup.algorithm).set_draws([](std::int64_t) {
    return std::make_unique<Noise>();
  });
  const at::Tensor embedding = float64(state_dict_of(*run.context.classifier).at("beside.embedding_head.weight"));
  const Batch batch = feature_batch();
  double expected = 0;
  for (std::int64_t d = 0; d < kDomains; ++d) {
    const at::Tensor x = float64(batch.image_NCHW.narrow(0, d * kPerDomain, kPerDomain));
    const at::Tensor noise = torch::full({kPerDomain, kFeatures}, (static_cast<double>(d) + 1) / 2, torch::kFloat64);
    const at::Tensor logits = torch::cat({x, noise}, 1).matmul(torch::cat({run.weight, embedding}, 1).t()) + run.bias;
    expected += torch::cross_entropy_loss(logits, batch.label_N.narrow(0, d * kPerDomain, kPerDomain)).item<double>();
  }
  EXPECT_NEAR(run.update().scalars.at("loss"), expected, 1e-5);
}

TEST(AlgorithmFormulas, FishrsVarianceIsThatOfTheGradientsOfSingleImages) {
  torch::manual_seed(5);
  const at::Tensor x = torch::randn({6, kFeatures}, torch::kFloat64), label = torch::arange(6) % kClasses;
  const at::Tensor weight = torch::randn({kClasses, kFeatures}, torch::kFloat64).requires_grad_();
  const at::Tensor bias = torch::randn({kClasses}, torch::kFloat64).requires_grad_();
  const at::Tensor logits = torch::linear(x, weight, bias);
  std::vector<at::Tensor> each;
  for (std::int64_t i = 0; i < 6; ++i) {
    const at::Tensor loss = torch::cross_entropy_loss(logits.narrow(0, i, 1), label.narrow(0, i, 1));
    const auto gradient = torch::autograd::grad({loss}, {weight, bias}, {}, true);
    each.push_back(torch::cat({gradient[0].flatten(), gradient[1]}));
  }
  expect_near(gradient_variance(x, logits, label), torch::stack(each).var(0, false), 1e-12);
}

TEST(AlgorithmFormulas, FishrWeighsTheDistanceOfSmoothedVariances) {
  LinearRun run("fishr", {"fishr.penalty_anneal_iters=0", "fishr.lambda=7", "fishr.ema=0.8", "optimizer.lr=0"});
  const Batch batch = feature_batch();
  const at::Tensor x = float64(batch.image_NCHW), logits = x.matmul(run.weight.t()) + run.bias;
  std::vector<at::Tensor> variances;
  for (std::int64_t d = 0; d < kDomains; ++d) {
    const auto rows = [&](const at::Tensor& all) { return all.narrow(0, d * kPerDomain, kPerDomain); };
    variances.push_back(gradient_variance(rows(x), rows(logits), rows(batch.label_N)));
  }
  const at::Tensor once = torch::stack(variances), twice = (0.8 * 0.2 * once + 0.2 * once) / 0.2;
  const double nll = torch::cross_entropy_loss(logits, batch.label_N).item<double>();
  for (const at::Tensor& variance_DP : {once, twice}) {
    const double penalty = (variance_DP - variance_DP.mean(0, true)).square().mean().item<double>();
    EXPECT_NEAR(run.update().scalars.at("loss"), nll + 7 * penalty, 1e-5);
  }
}

TEST(AlgorithmFormulas, MirosPenaltyIsAGaussiansLogDensity) {
  torch::manual_seed(6);
  const at::Tensor map = torch::randn({2, 3, 4, 4}, torch::kFloat64), fixed = torch::randn_like(map);
  const at::Tensor b = torch::randn({3}, torch::kFloat64);
  double sum = 0;
  for (std::int64_t c = 0; c < 3; ++c) {
    const double variance = std::log1p(std::exp(b[c].item<double>())) + 1e-5;
    const at::Tensor apart = map.select(1, c) - fixed.select(1, c);
    sum += (apart.square() / variance + std::log(variance)).sum().item<double>();
  }
  EXPECT_NEAR(miro_penalty(map, fixed, b).item<double>(), sum / (2.0 * static_cast<double>(map.numel())), 1e-12);
}

TEST(AlgorithmFormulas, TrmsProductIsNeumannsSeriesOfTheHessian) {
  torch::manual_seed(8);
  const at::Tensor x = 0.3 * torch::randn({6, kFeatures}, torch::kFloat64), label = torch::arange(6) % kClasses;
  const at::Tensor weight = torch::randn({kClasses, kFeatures}, torch::kFloat64).requires_grad_();
  const at::Tensor bias = torch::randn({kClasses}, torch::kFloat64), v = 0.1 * torch::randn({15}, torch::kFloat64);
  const at::Tensor loss = torch::cross_entropy_loss(torch::linear(x, weight, bias), label);
  const at::Tensor gradient = torch::autograd::grad({loss}, {weight}, {}, true, true)[0].flatten();
  std::vector<at::Tensor> rows;
  for (std::int64_t i = 0; i < 15; ++i)
    rows.push_back(torch::autograd::grad({gradient[i]}, {weight}, {}, true)[0].flatten());
  const at::Tensor rest = torch::eye(15, torch::kFloat64) - torch::stack(rows);
  at::Tensor term = rest.matmul(v), sum = 2 * term;
  for (int i = 1; i < 10; ++i) {
    term = rest.matmul(term);
    sum = sum + term;
  }
  expect_near(inverse_hessian_product(v, weight.detach(), bias, x, label), sum, 1e-12);
}

TEST(AlgorithmFormulas, ArmsContextIsAFourthChannelOfItsGroup) {
  RunSetup setup = make_run_setup({}, {"algorithm=arm", "classifier.stem=small", "classifier.width=4"}, {});
  setup.config.loader.batch_size = 2;
  TrainingContext context;
  context.config = setup.config;
  const auto network = [&](std::uint64_t seed) { return Classifier(setup.config.classifier, kClasses, seed); };
  context.classifier = network(1);
  Classifier plain = network(1);
  add_networks(*setup.algorithm, context.classifier, {context.classifier, network, 2, 16, 1});
  setup.algorithm->prepare(context);
  context.classifier->eval();
  plain->eval();
  torch::manual_seed(9);
  const torch::NoGradGuard no_grad;
  const at::Tensor image = torch::randn({4, 3, 16, 16});
  const TensorMap weights = state_dict_of(*context.classifier);
  const auto layer = [&](const at::Tensor& x, int place) {
    const std::string name = fmt::format("beside.context_net.{}.", place);
    return torch::conv2d(x, float64(weights.at(name + "weight")), float64(weights.at(name + "bias")), 1, 2);
  };
  // Batch norm as it begins, in eval mode.
  const auto norm = [](const at::Tensor& x) { return (x / std::sqrt(1 + 1e-5)).relu(); };
  const at::Tensor map = layer(norm(layer(norm(layer(float64(image), 0)), 3)), 6);
  const at::Tensor first = map.narrow(0, 0, 2).mean(0, true), second = map.narrow(0, 2, 2).mean(0, true);
  const at::Tensor all = torch::cat({float64(image), torch::cat({first, first, second, second})}, 1);
  const at::Tensor kernel =
      torch::cat({float64(weights.at("conv1.weight")), float64(weights.at("beside.context_kernel"))}, 1);
  plain->backbone().set_first_layer_addition([&](const at::Tensor& x) {
    const at::Tensor wide = torch::conv2d(all, kernel, {}, 2, 1),
                     narrow = torch::conv2d(float64(x), float64(weights.at("conv1.weight")), {}, 2, 1);
    return (wide - narrow).to(torch::kFloat32);
  });
  expect_near(setup.algorithm->predict(image), plain->forward(image), 1e-4);
  plain->backbone().set_first_layer_addition({});
  EXPECT_GT((setup.algorithm->predict(image) - plain->forward(image)).abs().max().item<double>(), 1e-3);
}

}  // namespace domainfusion
