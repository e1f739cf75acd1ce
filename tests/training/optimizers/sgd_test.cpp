#include "domainfusion/training/optimizers/sgd.h"

#include <gtest/gtest.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>

namespace domainfusion {
namespace {

at::Tensor loss_of(const at::Tensor& w) { return (w * w * w).sum() * 0.1 + (w.sin() * 3).sum(); }

void expect_torchs(const SgdOptions& options) {
  torch::manual_seed(3);
  const at::Tensor w0 = torch::randn({7, 5});
  at::Tensor w = w0.clone().requires_grad_(), w_torch = w0.clone().requires_grad_();
  Sgd sgd({w}, options);
  torch::optim::SGD reference({w_torch}, torch::optim::SGDOptions(options.lr)
                                             .momentum(options.momentum)
                                             .nesterov(options.nesterov)
                                             .weight_decay(options.weight_decay));
  for (int i = 0; i < 20; ++i) {
    sgd.zero_grad();
    loss_of(w).backward();
    sgd.step();
    reference.zero_grad();
    loss_of(w_torch).backward();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(w, w_torch, 1e-5, 1e-6));
  EXPECT_FALSE(torch::equal(w, w0));
}

}  // namespace

TEST(Sgd, EqualsTorchsOverTwentySteps) {
  expect_torchs({.lr = 0.01});
  expect_torchs({.lr = 0.01, .momentum = 0.9, .weight_decay = 0.02});
  expect_torchs({.lr = 0.01, .momentum = 0.9, .nesterov = true, .weight_decay = 0.02});
}

TEST(Sgd, ContinuesFromItsSavedStateBitForBit) {
  const SgdOptions options{.lr = 0.01, .momentum = 0.9};
  const auto run = [](Sgd& sgd, at::Tensor w, int steps) {
    for (int i = 0; i < steps; ++i) {
      sgd.zero_grad();
      loss_of(w).backward();
      sgd.step();
    }
  };
  at::Tensor straight = torch::ones({9}).requires_grad_(), first = torch::ones({9}).requires_grad_();
  Sgd whole({straight}, options), before({first}, options);
  run(whole, straight, 10);
  run(before, first, 4);
  at::Tensor second = first.detach().clone().requires_grad_();
  Sgd after({second}, options);
  after.load_state(before.state());
  run(after, second, 6);
  EXPECT_TRUE(torch::equal(straight, second));
  EXPECT_EQ(after.steps_taken(), 10);
}

TEST(Optimizer, ClipsTheNormOfAllGradientsTogether) {
  at::Tensor a = torch::zeros({1}).requires_grad_(), b = torch::zeros({1}).requires_grad_();
  Sgd sgd({a, b}, {.lr = 1});
  (3 * a + 4 * b).sum().backward();
  EXPECT_NEAR(sgd.clip_grad_norm(10), 5, 1e-6);
  EXPECT_NEAR(a.grad().item<double>(), 3, 1e-6);
  EXPECT_NEAR(sgd.clip_grad_norm(1), 5, 1e-6);
  EXPECT_NEAR(a.grad().item<double>(), 0.6, 1e-5);
  EXPECT_NEAR(b.grad().item<double>(), 0.8, 1e-5);
}

}  // namespace domainfusion
