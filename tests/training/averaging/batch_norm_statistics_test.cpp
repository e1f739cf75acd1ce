#include "domainfusion/training/averaging/batch_norm_statistics.h"

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

namespace domainfusion {
namespace {

struct Normed : torch::nn::Module {
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(2));
};

}  // namespace

TEST(BatchNormStatistics, AreThePlainMeanOverTheBatches) {
  Normed model;
  model.norm->forward(torch::full({4, 2, 3, 3}, 100.0));  // what it knew before is forgotten
  const at::Tensor batches = torch::randn({3, 4, 2, 5, 5});
  ASSERT_TRUE(takes_batch_statistics(model));
  retake_batch_statistics(model, 3, [&](std::int64_t i) { model.norm->forward(batches[i] + 2); });
  const at::Tensor mean = (batches + 2).mean({0, 1, 3, 4});
  const at::Tensor variance = batches.permute({0, 2, 1, 3, 4}).flatten(2).var(2, /*unbiased=*/true).mean(0);
  EXPECT_TRUE(torch::allclose(model.norm->running_mean, mean, 1e-4, 1e-5));
  EXPECT_TRUE(torch::allclose(model.norm->running_var, variance, 1e-4, 1e-5));
  EXPECT_EQ(model.norm->options.momentum().value(), 0.1);
}

TEST(BatchNormStatistics, KeepMomentumWhenInterruptedAndFrozenLayersUntouched) {
  Normed model;
  EXPECT_THROW(retake_batch_statistics(model, 3, [](std::int64_t) { throw 1; }), int);
  EXPECT_EQ(model.norm->options.momentum().value(), 0.1);
  model.norm->running_mean.fill_(7);
  model.norm->eval();
  EXPECT_FALSE(takes_batch_statistics(model));
  retake_batch_statistics(model, 1, [&](std::int64_t) { model.norm->forward(torch::randn({4, 2, 3, 3})); });
  EXPECT_EQ(model.norm->running_mean[0].item<double>(), 7);
}

}  // namespace domainfusion
