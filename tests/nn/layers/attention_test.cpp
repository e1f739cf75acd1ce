#include "domainfusion/nn/layers/attention.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/nn/layers/timestep_embedding.h"

namespace domainfusion {

TEST(Attention, HeadsAttendToTheirOwnSliceOfTheChannels) {
  torch::manual_seed(3);
  const at::Tensor q = torch::randn({2, 5, 6}), k = torch::randn({2, 7, 6}), v = torch::randn({2, 7, 6});
  const at::Tensor both = attend(q, k, v, 2);
  for (std::int64_t head = 0; head < 2; ++head) {
    const auto slice = [&](const at::Tensor& x) { return x.slice(2, 3 * head, 3 * head + 3).contiguous(); };
    EXPECT_TRUE(slice(both).allclose(attend(slice(q), slice(k), slice(v), 1), 1e-5, 1e-6));
  }
}

TEST(Attention, OneKeyReturnsItsValue) {
  const at::Tensor v = torch::rand({1, 1, 4});
  EXPECT_TRUE(attend(torch::rand({1, 3, 4}), torch::rand({1, 1, 4}), v, 2).allclose(v.expand({1, 3, 4})));
}

TEST(Attention, MaskedKeysHaveNoInfluence) {
  const at::Tensor q = torch::rand({1, 2, 4}), k = torch::rand({1, 2, 4}), v = torch::rand({1, 2, 4});
  at::Tensor mask = torch::zeros({2, 2});
  mask[0][1] = -std::numeric_limits<float>::infinity();
  EXPECT_TRUE(attend(q, k, v, 1, mask)[0][0].allclose(v[0][0]));
}

TEST(TimestepEmbedding, AFractionalTimeLiesBetweenItsNeighbours) {
  const at::Tensor waves = sinusoidal_embedding(torch::tensor({0.0, 0.5, 1.0}), 8, true, 0);
  EXPECT_TRUE(waves[0].slice(0, 0, 4).equal(torch::ones({4})));
  EXPECT_TRUE(waves[0].slice(0, 4).equal(torch::zeros({4})));
  EXPECT_NEAR(waves[1][4].item<double>(), std::sin(0.5), 1e-6);
  EXPECT_EQ(sinusoidal_embedding(torch::tensor({1}), 5, false, 0).size(1), 5);
}

}  // namespace domainfusion
