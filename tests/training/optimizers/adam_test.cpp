#include "domainfusion/training/optimizers/adam.h"

#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// Whether the parameters lie in memory in order. Those that do not, and all on a GPU, are worked as a list.
class AdamOfLayout : public testing::TestWithParam<bool> {
 protected:
  static at::Tensor leaf(const at::Tensor& start) {
    const at::Tensor spread = at::stack({start, start}, -1).select(-1, 0);
    return (GetParam() ? start.clone() : spread).detach().requires_grad_();
  }
};

at::Tensor loss_of(const at::Tensor& w, const at::Tensor& b) { return (w * w * w).sum() * 0.1 + (b.sin() * 3).sum(); }

}  // namespace

INSTANTIATE_TEST_SUITE_P(Layouts, AdamOfLayout, testing::Bool(),
                         [](const auto& info) { return info.param ? "InOrder" : "Strided"; });

TEST_P(AdamOfLayout, EqualsTorchsAdamOverTwentySteps) {
  torch::manual_seed(3);
  const at::Tensor w0 = torch::randn({7, 5}), b0 = torch::randn({11});
  at::Tensor w = leaf(w0), b = leaf(b0);
  at::Tensor w_torch = w0.clone().requires_grad_(), b_torch = b0.clone().requires_grad_();
  Adam adam({w, b}, {.lr = 0.01, .weight_decay = 0.02});
  torch::optim::Adam reference({w_torch, b_torch}, torch::optim::AdamOptions(0.01).weight_decay(0.02));
  for (int i = 0; i < 20; ++i) {
    adam.zero_grad();
    loss_of(w, b).backward();
    adam.step();
    reference.zero_grad();
    loss_of(w_torch, b_torch).backward();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(w, w_torch, 1e-4, 2e-5));
  EXPECT_TRUE(torch::allclose(b, b_torch, 1e-4, 2e-5));
}

TEST_P(AdamOfLayout, WithDecoupledDecayEqualsTorchsAdamW) {
  torch::manual_seed(3);
  const at::Tensor w0 = torch::randn({7, 5});
  at::Tensor w = leaf(w0), w_torch = w0.clone().requires_grad_();
  Adam adam({w}, {.lr = 0.01, .weight_decay = 0.3, .decoupled_decay = true});
  torch::optim::AdamW reference({w_torch}, torch::optim::AdamWOptions(0.01).weight_decay(0.3));
  for (int i = 0; i < 20; ++i) {
    adam.zero_grad();
    (w * w * w).sum().backward();
    adam.step();
    reference.zero_grad();
    (w_torch * w_torch * w_torch).sum().backward();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(w, w_torch, 1e-4, 2e-5));
}

TEST_P(AdamOfLayout, ScaledLearningRatesAreTorchsParameterGroups) {
  torch::manual_seed(5);
  const at::Tensor w0 = torch::randn({7, 5}), b0 = torch::randn({11});
  at::Tensor w = leaf(w0), b = leaf(b0);
  at::Tensor w_torch = w0.clone().requires_grad_(), b_torch = b0.clone().requires_grad_();
  Adam adam({w, b}, {.lr = 0.01});
  adam.scale_lr({b}, 10);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<at::Tensor>{w_torch}, std::make_unique<torch::optim::AdamOptions>(0.01));
  groups.emplace_back(std::vector<at::Tensor>{b_torch}, std::make_unique<torch::optim::AdamOptions>(0.1));
  torch::optim::Adam reference(groups, torch::optim::AdamOptions(0.01));
  for (int i = 0; i < 10; ++i) {
    adam.zero_grad();
    reference.zero_grad();
    (loss_of(w, b) + loss_of(w_torch, b_torch)).backward();
    adam.step();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(w, w_torch, 1e-4, 2e-5));
  EXPECT_TRUE(torch::allclose(b, b_torch, 1e-4, 2e-5));
  EXPECT_THROW(adam.scale_lr({torch::zeros({3})}, 2), ConfigError);
}

TEST(Adam, ContinuesFromItsSavedStateBitForBit) {
  torch::manual_seed(4);
  const at::Tensor w0 = torch::randn({9});
  const auto run = [](Adam& adam, at::Tensor w, int steps) {
    for (int i = 0; i < steps; ++i) {
      adam.zero_grad();
      (w.pow(4)).sum().backward();
      adam.step();
    }
  };
  at::Tensor straight = w0.clone().requires_grad_();
  Adam whole({straight}, {.lr = 0.1});
  run(whole, straight, 10);

  at::Tensor first = w0.clone().requires_grad_();
  Adam before({first}, {.lr = 0.1});
  run(before, first, 4);
  at::Tensor second = first.detach().clone().requires_grad_();
  Adam after({second}, {.lr = 0.1});
  after.load_state(before.state());
  run(after, second, 6);
  EXPECT_TRUE(torch::equal(straight, second));
}

TEST(Adam, RefusesTheStateOfAnotherNetwork) {
  Adam a({torch::zeros({3}).requires_grad_()}, {});
  Adam b({torch::zeros({4}).requires_grad_()}, {});
  EXPECT_THROW(a.load_state(b.state()), ShapeError);
  EXPECT_THROW(a.load_state({}), FormatError);
}

}  // namespace domainfusion
