// Each switch that promises less memory keeps its promise.

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/layers/attention.h"
#include "domainfusion/nn/layers/linear.h"
#include "peak_memory.h"

namespace domainfusion {

TEST(Memory, AttentionInBlocksHoldsNoMatrixOfAllScores) {
  const at::Tensor q = torch::randn({1, 4096, 32});
  const double blocked = peak_growth_mib([&] { attend(q, q, q, 2); });
  const PlainOperations plain;
  const double whole = peak_growth_mib([&] { attend(q, q, q, 2); });
  EXPECT_GT(whole, 2 * 4096.0 * 4096 * 4 / (1 << 20));
  EXPECT_LT(blocked, 16);
}

TEST(Memory, AReleasedWeightIsHeldOnce) {
  constexpr std::int64_t kFeatures = 4096;  // 64 MiB
  const auto growth = [&](bool release) {
    return peak_growth_mib([&] {
      Linear layer(kFeatures, kFeatures);
      for (at::Tensor& parameter : layer->parameters()) parameter.set_requires_grad(false).fill_(1);
      if (release) release_plain_weights(*layer);
      layer(torch::ones({1, kFeatures}));
      torch::ones({kFeatures, kFeatures});  // while it packs, either holds both; what comes later tells them apart
    });
  };
  EXPECT_LT(growth(true), growth(false) - 48);
}

TEST(Memory, UnusedBlocksAreGivenBack) {
  const auto use = [] { new_activation({64, 1024, 1024}).fill_(1); };
  const double before = resident_mib();
  use();
  EXPECT_GT(resident_mib(), before + 200);
  release_activation_memory();
  EXPECT_LT(resident_mib(), before + 50);
}

}  // namespace domainfusion
