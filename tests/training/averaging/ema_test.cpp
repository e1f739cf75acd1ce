#include "domainfusion/training/averaging/ema.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace domainfusion {
namespace {

AveragingConfig config_of(double decay, bool warmup) {
  AveragingConfig config;
  config.ema_decay = decay;
  config.ema_warmup = warmup;
  return config;
}

// The average of a weight that is 0, 1, 2, … after the steps.
double average_of_counting(Ema& ema, int steps) {
  torch::nn::Linear model(1, 1);
  torch::NoGradGuard no_grad;
  for (int step = 0; step < steps; ++step) {
    model->weight.fill_(step);
    ema.after_step(step, *model);
  }
  return ema.average().weights.at("weight").item<double>();
}

}  // namespace

TEST(Ema, IsTheGeometricSumThatStartsAtTheFirstStep) {
  Ema ema(config_of(0.9, false));
  // 0.9^3 * 0 + 0.1 * (0.9^2 * 1 + 0.9 * 2 + 3)
  EXPECT_NEAR(average_of_counting(ema, 4), 0.561, 1e-6);
}

TEST(Ema, ForgetsItsStartFasterWhileItWarmsUp) {
  Ema ema(config_of(0.9, true));
  double expected = 0;
  for (int t = 1; t <= 3; ++t) {
    const double decay = (1.0 + t) / (10.0 + t);
    expected = decay * expected + (1 - decay) * t;
  }
  EXPECT_NEAR(average_of_counting(ema, 4), expected, 1e-6);
  Ema late(config_of(0.2, true));  // reached at the second update
  EXPECT_NEAR(average_of_counting(late, 3), 0.2 * (2.0 / 11 * 0 + 9.0 / 11) + 0.8 * 2, 1e-6);
}

TEST(Ema, AveragesStatisticsAndCopiesCounters) {
  Ema ema(config_of(0.5, false));
  torch::nn::BatchNorm2d model(1);
  torch::NoGradGuard no_grad;
  for (int step = 0; step < 2; ++step) {
    model->running_mean.fill_(step);
    model->num_batches_tracked.fill_(step + 1);
    ema.after_step(step, *model);
  }
  const AveragedWeights average = ema.average();
  EXPECT_TRUE(average.has_buffers);
  EXPECT_EQ(average.weights.at("running_mean").item<double>(), 0.5);
  EXPECT_EQ(average.weights.at("num_batches_tracked").item<std::int64_t>(), 2);
}

TEST(Ema, RefusesAStateThatIsNotItsOwn) {
  Ema ema(config_of(0.9, false));
  EXPECT_THROW(ema.load({}, {{"valley", 1}}), FormatError);
  EXPECT_THROW(ema.average(), Error);
}

}  // namespace domainfusion
