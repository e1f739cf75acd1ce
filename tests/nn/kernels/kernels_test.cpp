#include "domainfusion/nn/kernels/kernels.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <limits>

namespace domainfusion {
namespace {

float* data(const at::Tensor& x) { return x.data_ptr<float>(); }

class EveryKernel : public testing::TestWithParam<const Kernels*> {};

}  // namespace

TEST_P(EveryKernel, MultipliesATile) {
  const Kernels& k = *GetParam();
  torch::manual_seed(1);
  for (const std::int64_t depth : {1, 7, 64}) {
    const at::Tensor a = torch::randn({k.tile_rows, depth}), b = torch::randn({depth, k.tile_columns});
    const at::Tensor c = torch::randn({k.tile_rows, k.tile_columns + 3}), before = c.clone();
    std::vector<const float*> rows;
    for (std::int64_t r = 0; r < k.tile_rows; ++r) rows.push_back(data(a) + r * depth);
    const at::Tensor product = torch::mm(a, b);
    k.multiply_tile(rows.data(), depth, data(b), data(c), k.tile_columns + 3, false);
    EXPECT_TRUE(c.slice(1, 0, k.tile_columns).allclose(product, 1e-5, 1e-5));
    k.multiply_tile(rows.data(), depth, data(b), data(c), k.tile_columns + 3, true);
    EXPECT_TRUE(c.slice(1, 0, k.tile_columns).allclose(2 * product, 1e-5, 1e-5));
    EXPECT_TRUE(c.slice(1, k.tile_columns).equal(before.slice(1, k.tile_columns))) << "wrote beside the tile";
  }
}

TEST_P(EveryKernel, FinishesRowsOfAnyLength) {
  const Kernels& k = *GetParam();
  for (const std::int64_t n : {1, 5, 33}) {
    const at::Tensor sum = torch::randn({n}), bias = torch::randn({n}), residual = torch::randn({n}),
                     gate = 3 * torch::randn({n});
    const at::Tensor out = torch::zeros({n + 1});
    k.finish_row(data(sum), data(bias), data(residual), data(out), n);
    EXPECT_TRUE(out.slice(0, 0, n).allclose(sum + bias + residual));
    k.finish_row(data(sum), nullptr, nullptr, data(out), n);
    EXPECT_TRUE(out.slice(0, 0, n).equal(sum));
    k.finish_gated_row(data(sum), data(gate), data(bias), data(residual), data(out), n);
    EXPECT_TRUE(out.slice(0, 0, n).allclose((sum + bias) * at::gelu(gate + residual), 1e-5, 1e-6));
    EXPECT_EQ(out[n].item<float>(), 0) << "wrote behind the row";
  }
}

TEST_P(EveryKernel, SoftmaxOverBlocksIsSoftmaxOverAll) {
  const Kernels& k = *GetParam();
  const at::Tensor scores = 20 * torch::randn({70}), values = torch::randn({70}), expected = at::softmax(scores, 0);
  at::Tensor weights = scores.clone(), out = torch::zeros({1});
  float m = -std::numeric_limits<float>::infinity(), l = 0;
  for (std::int64_t first = 0; first < 70; first += 23) {
    const std::int64_t count = std::min<std::int64_t>(23, 70 - first);
    k.softmax_block(data(weights) + first, count, &m, &l, data(out), 1);
    out.add_((weights.slice(0, first, first + count) * values.slice(0, first, first + count)).sum());
  }
  EXPECT_NEAR(out.item<float>() / l, (expected * values).sum().item<float>(), 1e-5);
  EXPECT_FLOAT_EQ(m, scores.max().item<float>());
}

TEST_P(EveryKernel, SoftmaxDoesNotHideNaN) {
  at::Tensor scores = torch::randn({40}), out = torch::zeros({1});
  scores[35] = std::numeric_limits<float>::quiet_NaN();
  float m = -std::numeric_limits<float>::infinity(), l = 0;
  GetParam()->softmax_block(data(scores), 40, &m, &l, data(out), 1);
  EXPECT_TRUE(std::isnan(l));
}

TEST_P(EveryKernel, ScalesShiftsAndActivates) {
  const Kernels& k = *GetParam();
  const at::Tensor x = 30 * torch::randn({3, 21}), scale = torch::randn({21}), shift = torch::randn({21});
  const at::Tensor y = torch::zeros({3, 25});
  k.scale_shift(data(x), 3, 21, data(scale), data(shift), true, data(y), 25);
  EXPECT_TRUE(y.slice(1, 0, 21).allclose(at::silu(x * scale + shift), 1e-5, 1e-6));
  EXPECT_TRUE(y.slice(1, 21).equal(torch::zeros({3, 4})));
  k.scale_shift(data(x), 3, 21, data(scale), data(shift), false, data(y), 25);
  EXPECT_TRUE(y.slice(1, 0, 21).allclose(x * scale + shift, 1e-5, 1e-5));
}

TEST_P(EveryKernel, SumsMomentsOfChannels) {
  const at::Tensor x = torch::randn({9, 19}), shift = torch::randn({19}), sum = torch::zeros({19}),
                   square = torch::zeros({19});
  GetParam()->channel_moments(data(x), 9, 19, data(shift), data(sum), data(square));
  EXPECT_TRUE(sum.allclose((x - shift).sum(0), 1e-5, 1e-5));
  EXPECT_TRUE(square.allclose((x - shift).square().sum(0), 1e-5, 1e-5));
}

INSTANTIATE_TEST_SUITE_P(Kernels, EveryKernel, testing::ValuesIn(runnable_kernels()),
                         [](const auto& info) { return info.param->instruction_set; });

}  // namespace domainfusion
