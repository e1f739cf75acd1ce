#include "domainfusion/metrics/classification.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

at::Tensor classes(std::vector<int64_t> values) { return torch::tensor(values, torch::kInt64); }

}  // namespace

TEST(Metrics, ConfusionCountsTrueClassesInRows) {
  const auto matrix = confusion_matrix(classes({0, 0, 1, 2, 2, 2}), classes({0, 1, 1, 0, 2, 2}), 3);
  EXPECT_TRUE(torch::equal(matrix, torch::tensor({{1, 1, 0}, {0, 1, 0}, {1, 0, 2}}, torch::kInt64)));
  EXPECT_DOUBLE_EQ(accuracy_of(matrix), 4.0 / 6);
}

TEST(Metrics, AClassWithoutSamplesHasNoAccuracy) {
  const auto share = per_class_accuracy(confusion_matrix(classes({0, 0}), classes({0, 1}), 2));
  EXPECT_DOUBLE_EQ(share[0].item<double>(), 0.5);
  EXPECT_TRUE(std::isnan(share[1].item<double>()));
  EXPECT_TRUE(std::isnan(accuracy_of(confusion_matrix(classes({}), classes({}), 2))));
}

TEST(Metrics, ClassesOutOfRangeAreRefused) {
  EXPECT_THROW(confusion_matrix(classes({0, 3}), classes({0, 1}), 3), ShapeError);
  EXPECT_THROW(confusion_matrix(classes({0, 1}), classes({0, -1}), 3), ShapeError);
  EXPECT_THROW(confusion_matrix(classes({0, 1}), classes({0}), 3), ShapeError);
}

TEST(Metrics, EqualFiguresInAnotherOrderHaveOneMean) {
  EXPECT_EQ(mean_of(std::vector<double>{.25, .125, .5}), mean_of(std::vector<double>{.25, .5, .125}));
  EXPECT_THROW(mean_of({}), ConfigError);
}

TEST(Metrics, TheStandardErrorIsThatOfThePopulation) {
  const std::vector<double> values{1, 2, 6};
  const auto result = mean_and_error(values);
  EXPECT_DOUBLE_EQ(result.mean, 3);
  EXPECT_DOUBLE_EQ(result.standard_error, std::sqrt((4.0 + 1 + 9) / 3) / std::sqrt(3.0));
  EXPECT_EQ(mean_and_error(std::vector<double>{5}).standard_error, 0);
  EXPECT_THROW(mean_and_error({}), ConfigError);
}

}  // namespace domainfusion
