// The layers' two ways of computing agree: libtorch's operations and this project's kernels.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/init.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/kernels/blocked_attention.h"
#include "domainfusion/nn/layers/attention.h"
#include "domainfusion/nn/layers/conv_2d.h"
#include "domainfusion/nn/layers/group_norm.h"
#include "domainfusion/nn/layers/linear.h"

namespace domainfusion {
namespace {

template <class Holder>
Holder frozen(Holder layer) {
  for (at::Tensor& parameter : layer->parameters()) parameter.set_requires_grad(false).normal_(0, 0.3);
  return layer;
}

template <class Layer, class... Args>
void expect_both_ways_agree(Layer& layer, const Args&... args) {
  const at::Tensor fast = layer(args...);
  const PlainOperations plain;
  const at::Tensor slow = layer(args...);
  ASSERT_EQ(fast.sizes(), slow.sizes());
  EXPECT_TRUE(fast.allclose(slow, 1e-4, 1e-4)) << (fast - slow).abs().max();
  EXPECT_FALSE(fast.equal(torch::zeros_like(fast)));
}

at::Tensor maps(std::int64_t channels, std::int64_t h, std::int64_t w) { return torch::randn({2, channels, h, w}); }

}  // namespace

TEST(Conv2d, AgreesForEveryGeometry) {
  torch::manual_seed(1);
  for (const std::int64_t kernel : {1, 3}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const auto& [padding, after] : {std::pair{0, 0}, std::pair{1, 0}, std::pair{0, 1}}) {
        Conv2d layer = frozen(Conv2d(Conv2dOptions{.in_channels = 5,
                                                   .out_channels = 37,
                                                   .kernel = kernel,
                                                   .padding = padding,
                                                   .padding_after = after,
                                                   .stride = stride}));
        expect_both_ways_agree(layer, maps(5, 6, 7));
      }
    }
  }
}

TEST(Conv2d, InBFloat16OnACpuItsGradientsStayNearFloat32s) {
  if (!BFloat16Convolutions::supported()) GTEST_SKIP() << "this processor has no AVX-512";
  torch::manual_seed(6);
  for (const std::int64_t channels : {3, 16, 48}) {
    Conv2d layer{three_by_three(channels, 32)};
    for (at::Tensor& parameter : layer->parameters()) {
      torch::NoGradGuard no_grad;
      parameter.normal_(0, 0.1);
    }
    const at::Tensor x = maps(channels, 9, 8).requires_grad_(), out_gradient = maps(32, 9, 8);
    std::vector<at::Tensor> inputs = layer->parameters();
    inputs.push_back(x);
    const auto results = [&](bool small) {
      const BFloat16Convolutions convolutions(small);
      const at::Tensor y = layer(x);
      std::vector<at::Tensor> all = torch::autograd::grad({y}, inputs, {out_gradient});
      all.push_back(y.detach());
      return all;
    };
    const auto exact = results(false), rounded = results(true);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      EXPECT_EQ(rounded[i].scalar_type(), at::kFloat);
      const double error = ((rounded[i] - exact[i]).norm() / exact[i].norm()).item<double>();
      EXPECT_LT(error, 4e-3) << channels << " channels, tensor " << i;
      EXPECT_GT(error, 1e-5) << "nothing was rounded";
    }
  }
  EXPECT_FALSE(BFloat16Convolutions::active());
}

TEST(Conv2d, AgreesForPartsEnlargementsAndSums) {
  torch::manual_seed(2);
  Conv2d layer = frozen(Conv2d(three_by_three(11, 6)));
  const std::vector<at::Tensor> parts{maps(4, 5, 6), maps(7, 5, 6)};
  expect_both_ways_agree(layer, parts);
  expect_both_ways_agree(layer, parts, Conv2dExtras{.height = 9, .width = 12});
  const Conv2dExtras sums{.per_image_NC = torch::randn({2, 6}), .residual_NChw = maps(6, 5, 6)};
  const at::Tensor residual = sums.residual_NChw.clone();
  expect_both_ways_agree(layer, parts, sums);
  EXPECT_TRUE(sums.residual_NChw.equal(residual)) << "the residual was written to";
}

TEST(Conv2d, AgreesForMoreRowsAndDepthThanOneBlock) {
  torch::manual_seed(3);
  Conv2d layer = frozen(Conv2d(three_by_three(600, 40)));
  expect_both_ways_agree(layer, maps(600, 11, 10));
}

TEST(Conv2d, AgreesWhereWinogradSavesMultiplications) {
  torch::manual_seed(11);
  Conv2d layer = frozen(Conv2d(three_by_three(40, 50)));
  expect_both_ways_agree(layer, maps(40, 13, 17));
  expect_both_ways_agree(layer, maps(40, 16, 16));
  expect_both_ways_agree(layer, maps(40, 7, 9), Conv2dExtras{.height = 13, .width = 18});
  expect_both_ways_agree(layer, maps(40, 15, 14),
                         Conv2dExtras{.per_image_NC = torch::randn({2, 50}), .residual_NChw = maps(50, 15, 14)});
}

TEST(Layers, EmptyBatchesGiveEmptyResults) {
  Conv2d conv = frozen(Conv2d(three_by_three(20, 20))), small = frozen(Conv2d(one_by_one(5, 6)));
  Linear linear = frozen(Linear(5, 6));
  GatedLinear gated = frozen(GatedLinear(5, 6));
  EXPECT_EQ(conv(torch::empty({0, 20, 4, 4})).sizes(), at::IntArrayRef({0, 20, 4, 4}));
  EXPECT_EQ(small(torch::empty({0, 5, 4, 4})).sizes(), at::IntArrayRef({0, 6, 4, 4}));
  EXPECT_EQ(linear(torch::empty({0, 3, 5})).sizes(), at::IntArrayRef({0, 3, 6}));
  EXPECT_EQ(gated(torch::empty({0, 5})).sizes(), at::IntArrayRef({0, 6}));
}

TEST(Layers, WrongShapesAreRefused) {
  Conv2d conv = frozen(Conv2d(three_by_three(20, 20))), small = frozen(Conv2d(three_by_three(5, 6)));
  GroupNorm norm = frozen(GroupNorm(2, 8, 1e-5));
  EXPECT_THROW(conv(maps(21, 6, 6)), ShapeError);
  EXPECT_THROW(small(maps(6, 6, 6)), ShapeError);
  EXPECT_THROW(small(std::vector<at::Tensor>{maps(2, 6, 6), maps(3, 6, 5)}), ShapeError);
  EXPECT_THROW(norm(std::vector<at::Tensor>{maps(4, 6, 6), maps(5, 6, 6)}), ShapeError);
  const at::Tensor q = torch::randn({2, 3, 8});
  EXPECT_THROW(attend(q, q.slice(0, 1), q.slice(0, 1), 2), ShapeError);
}

TEST(Layers, ABiasInTrainingGetsItsGradient) {
  Linear layer = frozen(Linear(3, 3));
  layer->named_parameters()["bias"].set_requires_grad(true);
  layer(torch::ones({2, 3})).sum().backward();
  EXPECT_TRUE(layer->named_parameters()["bias"].grad().equal(torch::full({3}, 2.0f)));
}

TEST(Conv2d, AWeightThatOnlyItsTransformHoldsComesBackToRounding) {
  torch::manual_seed(13);
  Conv2d layer = frozen(Conv2d(three_by_three(20, 20)));
  const at::Tensor weight = layer->named_parameters()["weight"].clone(), x = maps(20, 20, 20);
  release_plain_weights(*layer);
  layer(x);
  EXPECT_EQ(layer->named_parameters()["weight"].storage().nbytes(), sizeof(float));
  layer(x.clone().requires_grad_());
  EXPECT_TRUE(layer->named_parameters()["weight"].allclose(weight, 1e-5, 1e-6));
}

TEST(Linear, AgreesWithAndWithoutBiasAndResidual) {
  torch::manual_seed(4);
  const at::Tensor x = torch::randn({3, 50, 19});
  for (const bool bias : {false, true}) {
    Linear layer = frozen(Linear(19, 70, bias));
    expect_both_ways_agree(layer, x);
    expect_both_ways_agree(layer, x, torch::randn({3, 50, 70}));
    expect_both_ways_agree(layer, x.transpose(0, 1));
  }
}

TEST(GatedLinear, AgreesForWidthsInsideAndAcrossPanels) {
  torch::manual_seed(5);
  for (const std::int64_t features : {3, 32, 50}) {
    GatedLinear layer = frozen(GatedLinear(8, features));
    expect_both_ways_agree(layer, torch::randn({2, 9, 8}));
  }
}

TEST(GroupNorm, AgreesForPartsAndForValuesFarFromZero) {
  torch::manual_seed(6);
  for (const auto activation : {GroupNormImpl::Activation::kNone, GroupNormImpl::Activation::kSilu}) {
    GroupNorm layer = frozen(GroupNorm(4, 12, 1e-5, activation));
    expect_both_ways_agree(layer, std::vector<at::Tensor>{maps(5, 17, 16), maps(7, 17, 16)});
    expect_both_ways_agree(layer, std::vector<at::Tensor>{maps(12, 17, 16) + 1000.0});
  }
}

TEST(GroupNorm, AnOutlierInTheCornerIsHarmlessInTraining) {
  GroupNorm layer = frozen(GroupNorm(1, 2, 1e-5));
  at::Tensor x = torch::full({1, 2, 256, 256}, 0.1f);
  x[0][0][0][0] = 3000;
  const at::Tensor fast = layer(x.clone().requires_grad_());
  const PlainOperations plain;
  EXPECT_TRUE(fast.allclose(layer(x), 1e-3, 1e-3));
}

TEST(GroupNorm, GradientsAreLibtorchs) {
  torch::manual_seed(9);
  for (const auto activation : {GroupNormImpl::Activation::kNone, GroupNormImpl::Activation::kSilu}) {
    GroupNorm layer = frozen(GroupNorm(3, 12, 1e-5, activation));
    for (at::Tensor& parameter : layer->parameters()) parameter.set_requires_grad(true);
    const at::Tensor g = maps(12, 37, 31), start = 2 * maps(12, 37, 31) + 5.0;
    const auto gradients = [&] {
      const at::Tensor x = start.clone().requires_grad_();
      const auto parameters = layer->named_parameters();
      return torch::autograd::grad({layer(x)}, {x, parameters["weight"], parameters["bias"]}, {g});
    };
    const auto fast = gradients();
    const PlainOperations plain;
    const auto slow = gradients();
    for (std::size_t i = 0; i < slow.size(); ++i) EXPECT_TRUE(fast[i].allclose(slow[i], 1e-3, 1e-3)) << i;
  }
}

TEST(Layers, ThreadsAndBatchesChangeNoBit) {
  torch::manual_seed(7);
  Conv2d conv = frozen(Conv2d(three_by_three(40, 40)));
  GroupNorm norm = frozen(GroupNorm(4, 40, 1e-5));
  const auto compute = [&](const at::Tensor& x) {
    const at::Tensor y = norm(conv(x)).flatten(2).transpose(1, 2).contiguous();
    return blocked_attention(y, y, y, 2);
  };
  const at::Tensor x = maps(40, 30, 30), expected = compute(x);
  const int threads = at::get_num_threads();
  at::set_num_threads(3);
  EXPECT_TRUE(compute(x).equal(expected));
  at::set_num_threads(threads);
  EXPECT_TRUE(compute(x.slice(0, 1)).equal(expected.slice(0, 1)));
  const at::Tensor small = maps(40, 9, 9);
  EXPECT_TRUE(compute(small.slice(0, 1)).equal(compute(small).slice(0, 1)));
}

TEST(BlockedAttention, AgreesForOddSizesAndManyBlocks) {
  torch::manual_seed(8);
  for (const auto& [queries, keys, depth] : {std::tuple{1, 1, 1}, std::tuple{70, 77, 40}, std::tuple{3, 1100, 17}}) {
    const at::Tensor q = torch::randn({2, queries, 3 * depth}), k = 3 * torch::randn({2, keys, 3 * depth}),
                     v = torch::randn({2, keys, 3 * depth});
    const at::Tensor fast = attend(q, k, v, 3);
    const PlainOperations plain;
    EXPECT_TRUE(fast.allclose(attend(q, k, v, 3), 1e-4, 1e-5));
  }
}

TEST(Attention, AContextIsProjectedAgainWhenItOrTheWeightsHaveChanged) {
  torch::manual_seed(10);
  Attention layer = frozen(Attention(AttentionOptions{.query_dim = 8, .context_dim = 6, .heads = 2}));
  const at::Tensor x = torch::randn({2, 9, 8}), context = torch::randn({2, 5, 6});
  expect_both_ways_agree(layer, x, context);
  expect_both_ways_agree(layer, x, context, torch::randn({2, 9, 8}));
  context.mul_(-2);
  expect_both_ways_agree(layer, x, context);
  layer->named_parameters()["to_v.weight"].add_(1);
  expect_both_ways_agree(layer, x, context);
  expect_both_ways_agree(layer, x, context.clone());
}

TEST(PackedLayer, IsPackedAgainWhenItsWeightHasChanged) {
  Linear layer = frozen(Linear(4, 4));
  const at::Tensor x = torch::randn({3, 4}), before = layer(x);
  layer->named_parameters()["weight"].mul_(2);
  expect_both_ways_agree(layer, x);
  EXPECT_FALSE(layer(x).equal(before));
}

TEST(PackedLayer, AGraphMadeBeforeTheReleaseKeepsItsWeight) {
  Conv2d layer = frozen(Conv2d(three_by_three(5, 6)));
  release_plain_weights(*layer);
  const at::Tensor x = maps(5, 4, 4).requires_grad_(), y = layer(x).sum();
  layer(x.detach());
  y.backward();
  EXPECT_GT(x.grad().abs().sum().item<double>(), 0);
}

TEST(PackedLayer, ReleasedWeightsComeBackToTheBitForAGradient) {
  Conv2d conv = frozen(Conv2d(three_by_three(5, 33)));
  GatedLinear gated = frozen(GatedLinear(6, 50));
  const at::Tensor conv_weight = conv->named_parameters()["weight"].clone(),
                   gate_weight = gated->named_parameters()["weight"].clone();
  release_plain_weights(*conv);
  release_plain_weights(*gated);
  const at::Tensor x = maps(5, 4, 4), u = torch::randn({2, 6});
  const at::Tensor fast = conv(x), fast_gated = gated(u);
  EXPECT_EQ(conv->named_parameters()["weight"].storage().nbytes(), sizeof(float)) << "the plain weight is still held";
  EXPECT_TRUE(conv(x).equal(fast));
  const at::Tensor input = x.clone().requires_grad_();
  conv(input).sum().backward();
  EXPECT_GT(input.grad().abs().sum().item<double>(), 0);
  EXPECT_TRUE(conv->named_parameters()["weight"].equal(conv_weight));
  gated(u.clone().requires_grad_());
  EXPECT_TRUE(gated->named_parameters()["weight"].equal(gate_weight));
  EXPECT_TRUE(conv(x).equal(fast) && gated(u).equal(fast_gated));
}

TEST(PackedLayer, WeightsInTrainingStayWithLibtorch) {
  Linear layer(3, 3);
  for (at::Tensor& parameter : layer->parameters()) torch::nn::init::ones_(parameter);
  EXPECT_FALSE(uses_kernels(torch::ones({1, 3}), layer->parameters()[0]));
  EXPECT_TRUE(layer(torch::ones({1, 3})).requires_grad());
}

}  // namespace domainfusion
