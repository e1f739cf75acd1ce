#include "domainfusion/distillation/teachers/premise.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "distillation/tiny_ldm.h"
#include "domainfusion/core/error.h"
#include "domainfusion/distillation/teachers/latent_distillation.h"

namespace domainfusion {
namespace {

PremiseRequest small() {
  PremiseRequest request;
  request.confidences = {0.1, 0.5, 1};
  request.images = 6;
  request.draws = 2;
  return request;
}

PremiseResult measure(const LdmFunctions& ldm, const PremiseRequest& request, std::int64_t images = 20) {
  const ClassConditions conditions(ldm, {}, kTinyClasses);
  return measure_premise(ldm, {}, conditions, tiny_images(), tiny_keys(images), 3, request);
}

}  // namespace

TEST(Premise, HasOneRowPerConfidenceAndIsReproducible) {
  const auto a = measure(tiny_ldm(), small()), b = measure(tiny_ldm(), small());
  ASSERT_EQ(a.rows.size(), 3u);
  EXPECT_EQ(a.images, 6);
  EXPECT_EQ(a.rows[1].p, 0.5);
  EXPECT_EQ(a.to_json(), b.to_json());
  for (const PremiseRow& row : a.rows) {
    EXPECT_GT(row.loss.mean, 0);
    EXPECT_GT(row.g.standard_error, 0);
    EXPECT_GE(row.mean_abs_g, std::abs(row.g.mean));
  }
}

TEST(Premise, TheMeanOfLFollowsTheMeanOfGWhenTheJacobianIsFull) {
  const LdmFunctions ldm = tiny_ldm();
  DistillationConfig config;
  config.jacobian = UnetJacobian::kFull;
  config.weighting = TimestepWeighting::kUniform;
  PremiseRequest request = small();
  request.confidences = {0.4999, 0.5, 0.5001};
  const auto result = measure_premise(ldm, config, ClassConditions(ldm, config, kTinyClasses), tiny_images(),
                                      tiny_keys(20), 3, request);
  const double slope = (result.rows[2].loss.mean - result.rows[0].loss.mean) / 0.0002;
  EXPECT_NEAR(slope, result.rows[1].g.mean, 1e-4 * std::abs(slope));
}

TEST(Premise, TheWrongClassIsComparedOnlyWhenAsked) {
  PremiseRequest request = small();
  EXPECT_EQ(measure(tiny_ldm(), request).table().find("wrong class"), std::string::npos);
  request.class_difference = true;
  const auto result = measure(tiny_ldm(), request);
  EXPECT_NE(result.rows[0].class_difference.mean, 0);
  EXPECT_NE(result.table().find("wrong class"), std::string::npos);
}

TEST(Premise, AnLdmThatLowersConfidenceIsCalledSo) {
  PremiseResult result;
  result.images = 64;
  result.rows = {{0.5, {0.1, 0.01}, {1e-3, 1e-4}, 1e-3, 0.05, {}}};
  EXPECT_NE(result.warning().find("lowers confidence"), std::string::npos);
  result.rows[0].negative_share = 0.9;
  EXPECT_TRUE(result.warning().empty());
  EXPECT_NE(result.table().find("raises confidence"), std::string::npos);
}

TEST(PremiseGate, LeavesDistillationOffWhereFewerThanHalfOfTheDrawsRaiseConfidence) {
  EXPECT_TRUE(lowers_confidence(0.49));
  EXPECT_FALSE(lowers_confidence(0.5));
  EXPECT_TRUE(lowers_confidence(std::nan("")));
  EXPECT_NE(premise_verdict(0.37).find("distillation: off, because g > 0 for 63 % of draws"), std::string::npos);
  EXPECT_NE(premise_verdict(0.37).find("latent_distillation=on"), std::string::npos);
  EXPECT_NE(premise_verdict(0.7).find("distillation: on, because g < 0 for 70 % of draws"), std::string::npos);
}

// A denoiser whose residual points against dz/dp raises confidence, one that points along lowers it: of one and its
// mirror image the shares of g < 0 add up to one.
TEST(PremiseGate, TheSignOfTheResidualDecides) {
  const auto share = [](double sign) {
    LdmFunctions ldm = tiny_ldm();
    // Far more than the noise, so that r has the sign of z.
    ldm.predict_epsilon = [sign](const at::Tensor& z_t, const at::Tensor&, const at::Tensor&) {
      return 1e6 * sign * z_t;
    };
    return measure(ldm, premise_gate_request()).negative_share();
  };
  EXPECT_NEAR(share(1) + share(-1), 1, 1e-9);
  EXPECT_NE(lowers_confidence(share(1)), lowers_confidence(share(-1)));
}

TEST(PremiseGate, AsksOnlyWhereGIsUsedAsItIs) {
  DistillationConfig config;
  EXPECT_TRUE(asks_for_premise(config));
  config.g_mode = GradientMode::kCentered;
  EXPECT_FALSE(asks_for_premise(config));
  config.g_mode = GradientMode::kRaw;
  config.teacher = "diffusion_classifier";
  EXPECT_FALSE(asks_for_premise(config));
}

TEST(Premise, AGThatIsNotFiniteIsAnErrorAndAStopIsHeeded) {
  LdmFunctions broken = tiny_ldm();
  broken.predict_epsilon = [](const at::Tensor& z_t, const at::Tensor&, const at::Tensor&) {
    return z_t * std::nan("");
  };
  EXPECT_THROW(measure(broken, small()), Error);
  int images = 0;
  const auto stop = [&] {
    if (++images == 3) throw std::runtime_error("stopped");
  };
  EXPECT_THROW(measure_premise(tiny_ldm(), {}, ClassConditions(tiny_ldm(), {}, kTinyClasses), tiny_images(),
                               tiny_keys(20), 3, small(), stop),
               std::runtime_error);
  EXPECT_EQ(images, 3);
}

TEST(Premise, BadRequestsAreRefused) {
  PremiseRequest request = small();
  EXPECT_THROW(measure(tiny_ldm(), request, 0), ConfigError);
  request.confidences = {0.5, 1.5};
  EXPECT_THROW(measure(tiny_ldm(), request), ConfigError);
  request.confidences = {};
  EXPECT_THROW(measure(tiny_ldm(), request), ConfigError);
}

}  // namespace domainfusion
