#include "domainfusion/nn/initialise.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/nn/layers/resnet_block.h"

namespace domainfusion {
namespace {

// A residual block with a shortcut on the trunk; its norms hold more than one channel per group.
ResnetBlock2d fresh_block() {
  ResnetBlock2d block(
      ResnetBlockOptions{.in_channels = 4, .out_channels = 8, .time_channels = 0, .groups = 2, .eps = 1e-6});
  initialise_parameters(*block, 3, "test");
  return block;
}

}  // namespace

TEST(Initialise, DrawsDependOnSeedAndNameAlone) {
  const auto first = fresh_block()->named_parameters(), second = fresh_block()->named_parameters();
  for (const auto& item : first) EXPECT_TRUE(item.value().equal(second[item.key()])) << item.key();
  EXPECT_LE(first["conv1.weight"].abs().max().item<double>(), 1 / std::sqrt(4 * 9));
  EXPECT_EQ(first["norm1.weight"].min().item<double>(), 1);
}

TEST(Initialise, AStartAsTrunkIsLinearAndKeepsTheVariance) {
  ResnetBlock2d block(
      ResnetBlockOptions{.in_channels = 64, .out_channels = 128, .time_channels = 0, .groups = 2, .eps = 1e-6});
  initialise_parameters(*block, 3, "test");
  start_as_trunk(*block);
  torch::manual_seed(0);
  const at::Tensor x = torch::randn({4, 64, 8, 8}), y = torch::randn({4, 64, 8, 8});
  const at::Tensor zero = block(torch::zeros_like(x));
  EXPECT_TRUE(torch::allclose(block(x + y) + zero, block(x) + block(y), 1e-4, 1e-5));
  EXPECT_NEAR((block(x) - zero).std().item<double>(), 1, 0.1);
}

}  // namespace domainfusion
