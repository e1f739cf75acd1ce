#include "domainfusion/distillation/curves/latent_gradient.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "distillation/tiny_ldm.h"
#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// A batch of five images at different confidences, with their noise.
struct GradientCase {
  LdmFunctions ldm = tiny_ldm();
  DistillationConfig config;
  std::vector<ImageKey> keys;
  at::Tensor image01, p = torch::tensor({0.02, 0.2, 0.5, 0.8, 0.99}, torch::kFloat64);
  NoiseDraw noise;
  TextCondition condition;

  explicit GradientCase(DistillationConfig c = {}) : config(c) {
    for (const LabelledKey& image : tiny_keys(5)) keys.push_back(image.key);
    image01 = plain_images(tiny_images(), keys, 16, torch::kCPU).to(torch::kFloat64);
    noise = draw_noise(1, "test", 3, keys, 20, 980, {4, 4, 4});
    condition = ClassConditions(ldm, config, kTinyClasses).of(torch::tensor({0, 1, 2, 0, 1}));
  }
  LatentGradient gradient(const EncodedPoint& point) const {
    return latent_gradient(ldm, config, point, noise, condition);
  }
  LatentGradient exact() const { return gradient(encode_exact(ldm, image01, p)); }
  // w(t) mean(r^2) at confidences q.
  at::Tensor loss(const at::Tensor& q) const {
    const at::Tensor abar = ldm.alphas_cumprod.index_select(0, noise.t_N);
    const at::Tensor z = ldm.encode(q.reshape({-1, 1, 1, 1}) * image01),
                     epsilon = noise.epsilon_NChw.to(torch::kFloat64);
    const at::Tensor z_t = abar.sqrt().reshape({-1, 1, 1, 1}) * z + (1 - abar).sqrt().reshape({-1, 1, 1, 1}) * epsilon;
    const at::Tensor r = ldm.predict_epsilon(z_t, noise.t_N, condition.prompt) - epsilon;
    return timestep_weight(config.weighting, abar) * r.square().flatten(1).mean(1);
  }
};

double relative_error(const at::Tensor& a, const at::Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

}  // namespace

TEST(LatentGradient, DroppedJacobianIsTheWeightedMeanOfResidualTimesCurveDerivative) {
  for (auto weighting : {TimestepWeighting::kSigma2, TimestepWeighting::kUniform, TimestepWeighting::kSnr}) {
    DistillationConfig config;
    config.weighting = weighting;
    GradientCase c(config);
    const double h = 1e-5;
    const at::Tensor up = c.ldm.encode((c.p + h).reshape({-1, 1, 1, 1}) * c.image01);
    const at::Tensor down = c.ldm.encode((c.p - h).reshape({-1, 1, 1, 1}) * c.image01);
    const at::Tensor z = c.ldm.encode(c.p.reshape({-1, 1, 1, 1}) * c.image01);
    const at::Tensor abar = c.ldm.alphas_cumprod.index_select(0, c.noise.t_N).reshape({-1, 1, 1, 1});
    const at::Tensor epsilon = c.noise.epsilon_NChw.to(torch::kFloat64);
    const at::Tensor r =
        c.ldm.predict_epsilon(abar.sqrt() * z + (1 - abar).sqrt() * epsilon, c.noise.t_N, c.condition.prompt) - epsilon;
    const at::Tensor g = timestep_weight(weighting, abar).flatten() * (r * (up - down) / (2 * h)).flatten(1).mean(1);
    EXPECT_LT(relative_error(c.exact().g_N, g), 1e-7);
    EXPECT_TRUE(torch::allclose(c.exact().squared_residual_N, r.square().flatten(1).mean(1)));
  }
}

TEST(LatentGradient, FullJacobianEqualsFiniteDifferencesOfTheLossInP) {
  DistillationConfig config;
  config.jacobian = UnetJacobian::kFull;
  const GradientCase c(config);
  const double h = 1e-5;
  const at::Tensor finite = (c.loss(c.p + h) - c.loss(c.p - h)) / (2 * h);
  EXPECT_LT(relative_error(c.exact().g_N, finite), 1e-6);
}

// Of latents as large as Stable Diffusion's, small residuals divided by their number are 0 in half precision.
TEST(LatentGradient, SmallResidualsOfManyElementsSurviveHalfPrecision) {
  LdmFunctions ldm = tiny_ldm();
  NoiseDraw noise{torch::tensor({500}), torch::ones({1, 4, 64, 64})};
  ldm.predict_epsilon = [](const at::Tensor& z_t, const at::Tensor&, const at::Tensor&) {
    return torch::full_like(z_t, 1.0009765625);  // the half precision number behind 1
  };
  const auto sum_of_cotangent = [](const at::Tensor& cotangent) {
    return cotangent.flatten(1).sum(1, false, torch::kFloat64);
  };
  DistillationConfig config;
  config.weighting = TimestepWeighting::kUniform;
  const TextCondition condition{torch::zeros({1, 2, 4}), {}};
  const EncodedPoint point{torch::zeros({1, 4, 64, 64}, torch::kHalf), sum_of_cotangent};
  EXPECT_NEAR(latent_gradient(ldm, config, point, noise, condition).g_N.item<double>(), 0.0009765625, 1e-9);
}

TEST(LatentGradient, ExactAndDifferenceAgree) {
  for (auto jacobian : {UnetJacobian::kDropped, UnetJacobian::kFull}) {
    DistillationConfig config;
    config.jacobian = jacobian;
    const GradientCase c(config);
    const at::Tensor exact = c.exact().g_N;
    EXPECT_LT(relative_error(c.gradient(encode_difference(c.ldm, c.image01, c.p, 1e-3)).g_N, exact), 1e-3);
    EXPECT_LT(relative_error(c.gradient(encode_difference(c.ldm, c.image01, c.p, 1e-4)).g_N, exact), 1e-5);
  }
}

TEST(LatentGradient, AGraphAroundTheCallIsNeitherNeededNorMade) {
  const GradientCase c;
  torch::NoGradGuard none;
  const auto inside = c.exact();
  EXPECT_FALSE(inside.g_N.requires_grad());
  torch::AutoGradMode graph(true);
  EXPECT_FALSE(c.exact().g_N.requires_grad());
  EXPECT_TRUE(torch::equal(c.exact().g_N, inside.g_N));
}

TEST(LatentGradient, GuidanceMixesTheEmptyPrompt) {
  DistillationConfig config;
  config.guidance = 3;
  const GradientCase three(config);
  const at::Tensor zeros = torch::zeros({5, 4, 4, 4}, torch::kFloat64), ones = torch::ones_like(zeros);
  LdmFunctions ldm = tiny_ldm();
  // A U-Net that answers with the sum of the condition, so that guided = empty + 3 (prompt - empty) is known.
  ldm.predict_epsilon = [&](const at::Tensor& z, const at::Tensor&, const at::Tensor& condition) {
    return condition.flatten(1).sum(1).reshape({-1, 1, 1, 1}) * torch::ones_like(z);
  };
  const EncodedPoint point = encoded_from_curve({zeros, ones});
  const auto got = latent_gradient(ldm, config, point, {three.noise.t_N, torch::zeros({5, 4, 4, 4})}, three.condition);
  const at::Tensor prompt = three.condition.prompt.flatten(1).sum(1), empty = three.condition.empty.flatten(1).sum(1);
  const at::Tensor w = 1 - ldm.alphas_cumprod.index_select(0, three.noise.t_N);
  EXPECT_TRUE(torch::allclose(got.g_N, w * (empty + 3 * (prompt - empty))));
}

TEST(DrawNoise, AnImagesDrawDoesNotDependOnItsBatch) {
  const std::vector<ImageKey> keys = {{0, 5}, {1, 5}, {0, 6}};
  const NoiseDraw all = draw_noise(4, "d", 9, keys, 20, 980, {4, 2, 2});
  for (int i = 0; i < 3; ++i) {
    const NoiseDraw one = draw_noise(4, "d", 9, {keys[i]}, 20, 980, {4, 2, 2});
    EXPECT_EQ(one.t_N.item<std::int64_t>(), all.t_N[i].item<std::int64_t>());
    EXPECT_TRUE(torch::equal(one.epsilon_NChw[0], all.epsilon_NChw[i]));
  }
  EXPECT_FALSE(torch::equal(all.epsilon_NChw[0], all.epsilon_NChw[1]));
  EXPECT_FALSE(torch::equal(all.epsilon_NChw[0], draw_noise(4, "d", 10, keys, 20, 980, {4, 2, 2}).epsilon_NChw[0]));
}

TEST(DrawNoise, TimestepsReachBothEndsOfTheirRange) {
  std::vector<ImageKey> keys;
  for (std::int64_t i = 0; i < 400; ++i) keys.push_back({0, i});
  const at::Tensor t = draw_noise(0, "d", 0, keys, 7, 12, {1, 1, 1}).t_N;
  EXPECT_EQ(t.min().item<std::int64_t>(), 7);
  EXPECT_EQ(t.max().item<std::int64_t>(), 12);
}

TEST(TimestepWeight, FollowsItsFormulas) {
  const at::Tensor abar = torch::tensor({0.5, 0.99, 0.1}, torch::kFloat64);
  EXPECT_TRUE(torch::allclose(timestep_weight(TimestepWeighting::kSigma2, abar),
                              torch::tensor({0.5, 0.01, 0.9}, torch::kFloat64)));
  EXPECT_TRUE(torch::allclose(timestep_weight(TimestepWeighting::kUniform, abar), torch::ones({3}, torch::kFloat64)));
  EXPECT_TRUE(torch::allclose(timestep_weight(TimestepWeighting::kSnr, abar),
                              torch::tensor({1.0, 5.0, 1.0 / 9}, torch::kFloat64)));
}

TEST(ClassConditions, LabelsOutsideTheClassesAreRefused) {
  const ClassConditions conditions(tiny_ldm(), {}, kTinyClasses);
  EXPECT_EQ(conditions.prompts()[1], "an image of a guitar");
  EXPECT_THROW(conditions.of(torch::tensor({0, 3})), ShapeError);
  EXPECT_THROW(conditions.of(torch::tensor({-1})), ShapeError);
}

TEST(DistillationPrompt, FillsTheClassAndRefusesOtherPlaceholders) {
  EXPECT_EQ(distillation_prompt("a {class}, {class}", "alarm_clock"), "a alarm clock, alarm clock");
  EXPECT_EQ(distillation_prompt("", "x"), "");
  EXPECT_THROW(distillation_prompt("a {class} in {domain}", "x"), ConfigError);
  EXPECT_THROW(distillation_prompt("a {class", "x"), ConfigError);
}

}  // namespace domainfusion
