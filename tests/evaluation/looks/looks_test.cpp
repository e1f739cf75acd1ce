#include <gtest/gtest.h>

#include "domainfusion/classifiers/backbones/vit.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/evaluation/looks/calibration.h"
#include "domainfusion/evaluation/looks/feature_map.h"
#include "domainfusion/evaluation/looks/grad_cam.h"
#include "domainfusion/evaluation/looks/image_answers.h"
#include "temporary_folder.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

ImageAnswer answer_of(double probability, bool right) {
  ImageAnswer answer;
  answer.answer = right ? 0 : 1;
  answer.probability = probability;
  return answer;
}

}  // namespace

TEST(Calibration, IsTheGapBetweenHowSureAndHowOftenRight) {
  // By hand: two of (0.5, 0.75], one right: |0.5 - 0.7|; two of (0.75, 1], both right: |1 - 0.85|.
  const Calibration calibration = calibration_of(
      {answer_of(0.65, true), answer_of(0.75, false), answer_of(0.7501, true), answer_of(0.9499, true)}, 4);
  EXPECT_NEAR(calibration.error, 0.5 * 0.2 + 0.5 * 0.15, 1e-12);
  EXPECT_EQ(calibration.bins[2].images, 2);
  EXPECT_EQ(calibration.bins[0].images, 0);
  EXPECT_EQ(calibration_of({answer_of(0, false), answer_of(1, true)}).error, 0);
  EXPECT_THROW(calibration_of({}), ConfigError);
}

TEST(ImageAnswers, AddUpToTheRunsOwnFigures) {
  const TemporaryFolder folder;
  const auto set = std::make_shared<ToyDataset>();
  const auto test = toy_run("erm", folder / "run", set);
  ASSERT_TRUE(test);
  TrainedModel model = load_trained_model(folder / "run");
  const auto domains = image_answers(model, *set, true, 1000);
  ASSERT_EQ(std::ssize(domains), set->number_of_domains());
  EXPECT_EQ(domains[0].domain, "red");
  EXPECT_TRUE(domains[0].held_out);
  std::vector<std::vector<std::int64_t>> confusion(test->confusion.size(),
                                                   std::vector<std::int64_t>(test->confusion.size()));
  for (const ImageAnswer& answer : domains[0].answers) {
    ++confusion[static_cast<std::size_t>(answer.label)][static_cast<std::size_t>(answer.answer)];
    EXPECT_NEAR(std::exp(-answer.loss), answer.own_probability, 1e-9);
    EXPECT_GE(answer.probability, answer.own_probability);
  }
  EXPECT_EQ(confusion, test->confusion);
  EXPECT_EQ(domains[0].feature_NF.size(0), std::ssize(domains[0].answers));

  const auto sources = image_answers(model, *set, false, 2);
  ASSERT_EQ(std::ssize(sources), set->number_of_domains() - 1);
  for (const DomainAnswers& domain : sources) {
    EXPECT_FALSE(domain.held_out);
    EXPECT_EQ(std::ssize(domain.answers), std::min<std::int64_t>(2, domain.images));
    const std::int64_t d = domain.answers[0].domain;
    const auto out = holdout_split(set->size(d), 0, d, 0.2).out;
    for (const ImageAnswer& answer : domain.answers)
      EXPECT_NE(std::find(out.begin(), out.end(), answer.index), out.end()) << domain.domain;
  }
}

TEST(FeatureMap, PrincipalComponentsAreInOrderOfVariance) {
  // On the line (2, 1), and a little beside it.
  const at::Tensor x = torch::tensor({{-4.0, -2.0}, {-2.0, -1.0}, {0.1, -0.2}, {-0.1, 0.2}, {2.0, 1.0}, {4.0, 2.0}});
  const at::Tensor scores = principal_components(x, 3);
  EXPECT_EQ(scores.sizes(), (std::vector<std::int64_t>{6, 3}));
  EXPECT_NEAR(scores[5][0].item<double>(), std::sqrt(20), 1e-9);
  EXPECT_NEAR(scores[0][0].item<double>(), -std::sqrt(20), 1e-9);
  EXPECT_NEAR(std::abs(scores[2][1].item<double>()), std::sqrt(0.05), 1e-6);
  EXPECT_EQ(scores.select(1, 2).abs().max().item<double>(), 0);
}

TEST(FeatureMap, TsneKeepsNeighboursTogether) {
  // Three clouds in 20 dimensions.
  const int each = 15;
  at::Tensor x = torch::zeros({3 * each, 20});
  for (int i = 0; i < 3 * each; ++i) {
    RandomStream noise(3, "cloud", {static_cast<std::uint64_t>(i)});
    noise.fill_normal({x[i].data_ptr<float>(), 20});
    x[i][i / each] += 30;
  }
  const at::Tensor y = tsne(x);
  const at::Tensor distance = torch::cdist(y, y).fill_diagonal_(1e9);
  const at::Tensor nearest = distance.argmin(1);
  for (int i = 0; i < 3 * each; ++i) EXPECT_EQ(nearest[i].item<std::int64_t>() / each, i / each) << i;
  EXPECT_TRUE(torch::equal(y, tsne(x)));
  EXPECT_TRUE(torch::isfinite(tsne(torch::ones({7, 3}))).all().item<bool>());
  EXPECT_EQ(tsne(torch::ones({1, 3})).sizes(), (std::vector<std::int64_t>{1, 2}));
}

TEST(GradCam, OfALinearHeadIsTheHeadsOwnMap) {
  ClassifierConfig config;
  config.stem = Stem::kSmall;
  config.width = 4;
  config.image_size_px = 32;
  Classifier classifier(config, 3, 5);
  classifier->eval();
  const at::Tensor image = torch::sin(torch::arange(2 * 3 * 32 * 32).to(torch::kFloat) * 0.37).view({2, 3, 32, 32});
  const at::Tensor before = classifier->forward(image);
  const at::Tensor cam = grad_cam(classifier, image, torch::tensor({2, 0}));
  // Features are means over places, so that d logit_k / d A_c is the head's weight over the number of places.
  const torch::NoGradGuard no_grad;
  const at::Tensor map = dynamic_cast<Resnet&>(classifier->backbone()).stages(image).back();
  const at::Tensor weight = classifier->head_parameters().at(0).index_select(0, torch::tensor({2, 0}));
  at::Tensor wanted = (weight.view({2, -1, 1, 1}) * map).sum(1).relu();
  wanted = wanted / wanted.amax({1, 2}, true).clamp_min(1e-12);
  EXPECT_TRUE(torch::allclose(cam, wanted, 1e-4, 1e-5)) << cam << wanted;
  EXPECT_TRUE(torch::equal(classifier->forward(image), before));
}

TEST(GradCam, OfAVisionTransformerFollowsTheLogit) {
  ClassifierConfig config;
  config.image_size_px = 32;
  const VitShape shape{32, 8, 2, 2, 12, 24};
  Classifier classifier(std::make_shared<Vit>(shape), config, 3, 5);
  classifier->eval();
  const at::Tensor image = torch::sin(torch::arange(3 * 32 * 32).to(torch::kFloat) * 0.11).view({1, 3, 32, 32});
  const at::Tensor cam = grad_cam(classifier, image, torch::tensor({1}));
  EXPECT_EQ(cam.sizes(), (std::vector<std::int64_t>{1, 4, 4}));
  EXPECT_GE(cam.min().item<float>(), 0);
  // By finite differences: the mean over patches of d logit / d token is what moves the logit when all patches move
  // alike.
  auto& vit = dynamic_cast<Transformer&>(classifier->backbone());
  const torch::NoGradGuard no_grad;
  at::Tensor tokens;
  vit.set_token_transform([&](const at::Tensor& x) { return tokens = x.clone(); });
  classifier->forward(image);
  at::Tensor weight = torch::zeros({shape.hidden});
  for (std::int64_t c = 0; c < shape.hidden; ++c) {
    const auto logit = [&](double by) {
      vit.set_token_transform([&, by](const at::Tensor& x) {
        at::Tensor moved = x.clone();
        moved.narrow(1, 1, 16).select(2, c).add_(by);
        return moved;
      });
      return classifier->forward(image)[0][1].item<double>();
    };
    weight[c] = (logit(0.01) - logit(-0.01)) / 0.02 / 16;
  }
  vit.set_token_transform({});
  at::Tensor wanted = (tokens.narrow(1, 1, 16)[0] * weight).sum(1).relu().view({4, 4});
  const float largest = wanted.max().item<float>();
  if (largest > 0) wanted = wanted / largest;
  EXPECT_TRUE(torch::allclose(cam[0], wanted, 0.02, 0.02)) << cam << wanted;
}

}  // namespace domainfusion
