#include "domainfusion/distillation/teachers/premise.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "distillation/tiny_teacher.h"
#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

PremiseRequest small() {
  PremiseRequest request;
  request.confidences = {0.1, 0.5, 1};
  request.images = 6;
  request.draws = 2;
  return request;
}

PremiseResult measure(const LatentTeacher& teacher, const PremiseRequest& request, std::int64_t images = 20) {
  const ClassConditions conditions(teacher, {}, kTinyClasses);
  return measure_premise(teacher, {}, conditions, tiny_images(), tiny_keys(images), 3, request);
}

}  // namespace

TEST(Premise, HasOneRowPerConfidenceAndIsReproducible) {
  const auto a = measure(tiny_teacher(), small()), b = measure(tiny_teacher(), small());
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
  const LatentTeacher teacher = tiny_teacher();
  DistillationConfig config;
  config.jacobian = UnetJacobian::kFull;
  config.weighting = TimestepWeighting::kUniform;
  PremiseRequest request = small();
  request.confidences = {0.4999, 0.5, 0.5001};
  const auto result = measure_premise(teacher, config, ClassConditions(teacher, config, kTinyClasses), tiny_images(),
                                      tiny_keys(20), 3, request);
  const double slope = (result.rows[2].loss.mean - result.rows[0].loss.mean) / 0.0002;
  EXPECT_NEAR(slope, result.rows[1].g.mean, 1e-4 * std::abs(slope));
}

TEST(Premise, TheWrongClassIsComparedOnlyWhenAsked) {
  PremiseRequest request = small();
  EXPECT_EQ(measure(tiny_teacher(), request).table().find("wrong class"), std::string::npos);
  request.class_difference = true;
  const auto result = measure(tiny_teacher(), request);
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

TEST(Premise, BadRequestsAreRefused) {
  PremiseRequest request = small();
  EXPECT_THROW(measure(tiny_teacher(), request, 0), ConfigError);
  request.confidences = {0.5, 1.5};
  EXPECT_THROW(measure(tiny_teacher(), request), ConfigError);
  request.confidences = {};
  EXPECT_THROW(measure(tiny_teacher(), request), ConfigError);
}

}  // namespace domainfusion
