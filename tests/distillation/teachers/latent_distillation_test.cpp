#include "domainfusion/distillation/teachers/latent_distillation.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <cmath>
#include <set>

#include "distillation/tiny_ldm.h"
#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

DistillationConfig whole_batch(EncoderForm encoder = EncoderForm::kExact) {
  DistillationConfig config;
  config.fraction = 1;
  config.encoder = encoder;
  config.lambda_ld_mode = LambdaMode::kFixed;
  return config;
}

LatentDistillation make(const DistillationConfig& config, const LdmFunctions& teacher = tiny_ldm()) {
  return LatentDistillation(config, teacher, kTinyClasses, tiny_images(), 7);
}

// A linear classifier's weights and a batch through it.
struct StepCase {
  at::Tensor weights = tiny_weights({3, 768}, 21, torch::kFloat64).requires_grad_();
  std::vector<LabelledKey> images;
  DistillationBatch batch;

  explicit StepCase(std::int64_t n = 8, std::int64_t first = 0) {
    for (const LabelledKey& image : tiny_keys(first + n)) images.push_back(image);
    images.erase(images.begin(), images.begin() + first);
    std::vector<std::int64_t> label, domain, index;
    std::vector<at::Tensor> pixels;
    for (const LabelledKey& image : images) {
      label.push_back(image.label);
      domain.push_back(image.key.domain);
      index.push_back(image.key.index);
      pixels.push_back(tiny_images()({image.key})[0]);
    }
    batch = {torch::stack(pixels).flatten(1).to(torch::kFloat64).matmul(weights.t()), torch::tensor(label),
             torch::tensor(domain), torch::tensor(index), torch::stack(pixels)};
  }
  at::Tensor p() const { return batch.logits_NK.softmax(1).gather(1, batch.label_N.unsqueeze(1)).squeeze(1); }
};

// g of every image of a case, found one by one from the surrogate: with lambda = 1 and one image, loss = g p.
at::Tensor g_of(const DistillationConfig& config, const StepCase& c, std::int64_t step) {
  std::vector<double> g;
  for (std::size_t i = 0; i < c.images.size(); ++i) {
    const StepCase one(1, static_cast<std::int64_t>(i));
    g.push_back(make(config).step(one.batch, step).figures.loss / one.p().item<double>());
  }
  return torch::tensor(g, torch::kFloat64);
}

}  // namespace

TEST(LatentDistillation, GradientOfTheSurrogateIsTheMeanOfGTimesTheGradientOfP) {
  const StepCase c;
  const auto out = make(whole_batch()).step(c.batch, 3);
  const at::Tensor got = torch::autograd::grad({out.loss}, {c.weights}, {}, true)[0];
  const at::Tensor g = g_of(whole_batch(), c, 3);
  at::Tensor expected = torch::zeros_like(c.weights);
  for (std::int64_t i = 0; i < g.size(0); ++i) {
    const StepCase fresh;
    expected += g[i] * torch::autograd::grad({fresh.p()[i]}, {fresh.weights})[0] / g.size(0);
  }
  EXPECT_LT(((got - expected).norm() / expected.norm()).item<double>(), 1e-9);
  EXPECT_NEAR(out.figures.mean_g, g.mean().item<double>(), 1e-12);
  EXPECT_NEAR(out.figures.mean_abs_g, g.abs().mean().item<double>(), 1e-12);
  EXPECT_NEAR(out.figures.mean_p, c.p().mean().item<double>(), 1e-12);
}

TEST(LatentDistillation, GroupingIntoPassesDoesNotMatter) {
  DistillationConfig config = whole_batch();
  const auto together = make(config).step(StepCase().batch, 2).figures;
  config.images_per_pass = 3;
  const auto apart = make(config).step(StepCase().batch, 2).figures;
  EXPECT_NEAR(together.loss, apart.loss, 1e-12 * std::abs(together.loss));
  EXPECT_NEAR(together.mean_squared_residual, apart.mean_squared_residual, 1e-12);
}

TEST(LatentDistillation, TheSameSeedAndStepGiveTheSameBitsAndAnotherStepDoesNot) {
  const auto a = make(whole_batch()).step(StepCase().batch, 5).figures,
             b = make(whole_batch()).step(StepCase().batch, 5).figures;
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_NE(a.loss, make(whole_batch()).step(StepCase().batch, 6).figures.loss);
}

TEST(LatentDistillation, ShareModeMakesTheMeanOfLambdaGPTheStatedShare) {
  DistillationConfig config = whole_batch();
  config.lambda_ld_mode = LambdaMode::kShare;
  config.share = 0.2;
  const StepCase c;
  const auto figures = make(config).step(c.batch, 3).figures;
  EXPECT_NEAR(figures.ratio, 0.2, 1e-12);
  const at::Tensor g = g_of(whole_batch(), c, 3);
  EXPECT_NEAR(figures.lambda, 0.2 / (g.abs() * c.p()).mean().item<double>(), 1e-9 * figures.lambda);
}

TEST(LatentDistillation, CenteredGSumsToZero) {
  DistillationConfig config = whole_batch();
  config.g_mode = GradientMode::kCentered;
  StepCase c;
  const at::Tensor g = g_of(whole_batch(), c, 3);
  const auto out = make(config).step(c.batch, 3);
  EXPECT_NEAR(out.figures.loss, ((g - g.mean()) * c.p()).mean().item<double>(), 1e-12);
  // Equal confidences: what is left of the loss is the sum of g.
  c.batch.logits_NK = torch::zeros({8, 3}, torch::kFloat64).requires_grad_();
  EXPECT_NEAR(make(config).step(c.batch, 3).figures.loss, 0, 1e-15);
}

TEST(LatentDistillation, ControlsReplaceGByItsMeanOrShuffleIt) {
  const StepCase c;
  const at::Tensor g = g_of(whole_batch(), c, 3);
  DistillationConfig config = whole_batch();
  config.control = GradientControl::kBatchMean;
  EXPECT_NEAR(make(config).step(c.batch, 3).figures.loss, (g.mean() * c.p()).mean().item<double>(), 1e-12);
  config.control = GradientControl::kShuffled;
  const at::Tensor dp = torch::autograd::grad({make(config).step(c.batch, 3).loss}, {c.batch.logits_NK}, {}, true)[0];
  // d loss / d logit_y = g p (1 - p) / n.
  const at::Tensor p = c.p().detach();
  const at::Tensor used = dp.gather(1, c.batch.label_N.unsqueeze(1)).squeeze(1) * 8 / (p * (1 - p));
  EXPECT_FALSE(torch::allclose(used, g, 1e-6, 1e-12));
  EXPECT_TRUE(torch::allclose(std::get<0>(used.sort()), std::get<0>(g.sort()), 1e-6, 1e-12));
}

TEST(LatentDistillation, FractionDrawsRowsFromSeedAndStepAndAveragesOverThem) {
  DistillationConfig config = whole_batch();
  config.fraction = 0.5;
  LatentDistillation distillation = make(config);
  const auto rows = distillation.drawn_rows(8, 3);
  EXPECT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows, distillation.drawn_rows(8, 3));
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  std::set<std::int64_t> seen;
  for (int step = 0; step < 40; ++step) {
    for (std::int64_t row : distillation.drawn_rows(8, step)) seen.insert(row);
  }
  EXPECT_EQ(seen.size(), 8u);
  const StepCase c;
  const at::Tensor gp = g_of(whole_batch(), c, 3) * c.p();
  EXPECT_NEAR(distillation.step(c.batch, 3).figures.loss, gp.index_select(0, torch::tensor(rows)).mean().item<double>(),
              1e-12);
  config.fraction = 1e-6;
  EXPECT_EQ(make(config).drawn_rows(8, 3).size(), 1u);
  config.fraction = 0;
  EXPECT_EQ(make(config).fraction(), 0.25);
}

TEST(LatentDistillation, TheThreeEncoderFormsAgree) {
  const StepCase c;
  const auto exact = make(whole_batch()).step(c.batch, 4).figures;
  EXPECT_NEAR(make(whole_batch(EncoderForm::kDifference)).step(c.batch, 4).figures.loss, exact.loss,
              0.01 * std::abs(exact.loss));
  LatentDistillation fast = make(whole_batch(EncoderForm::kCurve));
  const auto gate = fast.prepare(c.images, {});
  ASSERT_TRUE(gate.has_value());
  EXPECT_GT(fast.curve_points(), 0);
  EXPECT_NEAR(fast.step(c.batch, 4).figures.loss, exact.loss, 0.15 * std::abs(exact.loss));
}

TEST(LatentDistillation, ACurveThatFailsTheGateFallsBackToTheExactEncoder) {
  const StepCase c;
  const LdmFunctions rough = tiny_ldm(torch::kFloat64, 0.5);
  LatentDistillation distillation = make(whole_batch(EncoderForm::kCurve), rough);
  EXPECT_THROW(distillation.step(c.batch, 0), Error);
  EXPECT_EQ(distillation.prepare(c.images, {})->chosen_points, 0);
  EXPECT_EQ(distillation.encoder(), EncoderForm::kExact);
  EXPECT_EQ(distillation.step(c.batch, 0).figures.loss, make(whole_batch(), rough).step(c.batch, 0).figures.loss);
}

TEST(LatentDistillation, AResumeTakesUpTheChoiceOfTheGate) {
  const StepCase c;
  LatentDistillation first = make(whole_batch(EncoderForm::kCurve)), second = make(whole_batch(EncoderForm::kCurve));
  first.prepare(c.images, {});
  EXPECT_FALSE(second.prepare(c.images, {}, first.curve_points()).has_value());
  EXPECT_EQ(first.step(c.batch, 4).figures.loss, second.step(c.batch, 4).figures.loss);
  LatentDistillation exact = make(whole_batch(EncoderForm::kCurve));
  exact.prepare(c.images, {}, 0);
  EXPECT_EQ(exact.encoder(), EncoderForm::kExact);
}

TEST(LatentDistillation, TheAugmentedViewIsWhatTheLdmSees) {
  StepCase c;
  DistillationConfig config = whole_batch();
  const double plain = make(config).step(c.batch, 1).figures.loss;
  config.view = DistillationView::kAugmented;
  EXPECT_EQ(make(config).step(c.batch, 1).figures.loss, plain);
  c.batch.view01_N3HW = c.batch.view01_N3HW.flip(3);
  EXPECT_NE(make(config).step(c.batch, 1).figures.loss, plain);
  c.batch.view01_N3HW = at::Tensor();
  EXPECT_THROW(make(config).step(c.batch, 1), ShapeError);
}

TEST(LatentDistillation, BinsOfTheTimestepHoldEveryDrawnImage) {
  const auto figures = make(whole_batch()).step(StepCase().batch, 1).figures;
  std::int64_t images = 0;
  double sum = 0;
  for (const TimestepBin& bin : figures.bins) {
    images += bin.images;
    sum += bin.mean_squared_residual * static_cast<double>(bin.images);
  }
  EXPECT_EQ(figures.bins.front().low, 20);
  EXPECT_EQ(figures.bins.back().high, 980);
  EXPECT_EQ(images, 8);
  EXPECT_NEAR(sum / 8, figures.mean_squared_residual, 1e-12);
  EXPECT_EQ(figures.to_json().at("timesteps").size(), 10u);
}

TEST(LatentDistillation, ADivergedClassifierOrLdmIsAnErrorThatNamesTheImage) {
  StepCase c;
  LdmFunctions broken = tiny_ldm();
  broken.predict_epsilon = [](const at::Tensor& z, const at::Tensor&, const at::Tensor&) { return z * NAN; };
  const auto message = [&](const LdmFunctions& teacher) -> std::string {
    try {
      make(whole_batch(), teacher).step(c.batch, 12);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(broken).find("step 12: g of image 0 of domain 0 is nan; the frozen LDM gives no number"),
            std::string::npos);
  c.batch.logits_NK = torch::full({8, 3}, NAN, torch::kFloat64);
  EXPECT_NE(message(tiny_ldm()).find("p of image 0 of domain 0 is nan; the classifier diverged"), std::string::npos);
}

TEST(LatentDistillation, OptionsThatDoNotGoTogetherAreRefused) {
  const auto refused = [](auto change) {
    DistillationConfig config = whole_batch();
    change(config);
    EXPECT_THROW(make(config), ConfigError);
  };
  refused([](auto& c) { c.t_min = 900, c.t_max = 100; });
  refused([](auto& c) { c.t_max = 1000; });
  refused([](auto& c) { c.encoder = EncoderForm::kCurve, c.view = DistillationView::kAugmented; });
  refused([](auto& c) { c.g_mode = GradientMode::kCentered, c.control = GradientControl::kBatchMean; });
  refused([](auto& c) { c.curve.points = 10; });
  refused([](auto& c) { c.prompt = "a {klass}"; });
}

TEST(LatentDistillation, BatchesOfUnequalLengthsAreRefused) {
  StepCase c;
  c.batch.index_N = c.batch.index_N.slice(0, 1);
  EXPECT_THROW(make(whole_batch()).step(c.batch, 0), ShapeError);
}

TEST(DistillationConfig, EveryFieldGoesToJsonAndBack) {
  DistillationConfig a, b;
  a.control = GradientControl::kShuffled;
  a.curve.folder = "curves";
  a.guidance = 2.5;
  fields_of(b).from_json(fields_of(a).to_json());
  EXPECT_EQ(fields_of(b).to_json(), fields_of(a).to_json());
  EXPECT_EQ(b.control, GradientControl::kShuffled);
}

TEST(ConfidenceWarning, SpeaksOnlyWhenPositiveGDominates) {
  EXPECT_TRUE(confidence_warning(0.5, 100).empty());
  EXPECT_NE(confidence_warning(0.07, 100).find("g > 0 for 93 % of 100 images"), std::string::npos);
}

// Of one drawn image every control is the image itself: the experiment would say nothing.
TEST(LatentDistillationControls, NeedTwoDrawnImages) {
  DistillationConfig config = whole_batch();
  config.fraction = 0.25;
  EXPECT_NO_THROW(make(config).check_batch_size(1));
  config.control = GradientControl::kShuffled;
  EXPECT_THROW(make(config).check_batch_size(4), ConfigError);
  EXPECT_NO_THROW(make(config).check_batch_size(8));
  config.control = GradientControl::kNone;
  config.g_mode = GradientMode::kCentered;
  EXPECT_THROW(make(config).check_batch_size(4), ConfigError);
}

}  // namespace domainfusion
