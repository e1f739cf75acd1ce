#include "domainfusion/augmentation/styles/style_search.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "domainfusion/augmentation/styles/adain.h"
#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {
namespace {

at::Tensor noise(std::uint64_t seed, at::IntArrayRef sizes) {
  RandomStream stream(seed, "noise");
  return normal_tensor(stream, sizes).to(at::kDouble);
}

const at::Tensor kIndex = at::tensor({0, 2, 1, 1, 1, 0, 2, 2, 2, 0, 1, 2}, at::kLong).view({3, 4});

// Three images of three classes and a linear classifier; MODE-F's or MODE-A's variant by weights.
struct Problem {
  explicit Problem(bool fourier) : fourier(fourier) {
    const at::Tensor x = noise(1, {3, 2, 4, 4});
    parts = fourier ? fourier_spectrum(x) : adain_statistics(x, true);
  }
  at::Tensor images(const at::Tensor& weight_NK) const {
    const at::Tensor style = mixed_styles(parts.style, kIndex, weight_NK);
    return fourier ? image_from_spectrum(style, parts.content) : apply_adain(parts.content, style);
  }
  at::Tensor loss(const at::Tensor& weight_NK) const {
    return at::cross_entropy_loss(images(weight_NK).flatten(1).matmul(head), at::arange(3));
  }
  double value(const at::Tensor& a_NK) const { return loss(normalised_style_weights(a_NK)).item<double>(); }

  bool fourier;
  StyleContent parts;
  at::Tensor head = noise(2, {32, 3}).requires_grad_();
};

class StyleSearchOf : public ::testing::TestWithParam<bool> {
 protected:
  StyleSearch search(std::int64_t steps, double rate = 0.05) {
    StyleSearchConfig config{steps, rate};
    return search_style_weights(3, 4, at::kDouble, config, [&](const at::Tensor& w) { return problem_.loss(w); });
  }
  Problem problem_{GetParam()};
};

}  // namespace

TEST(StyleWeights, OneStepMovesEachWeightByTheRateAlongTheSign) {
  const at::Tensor a = at::full({1, 4}, 0.25, at::kDouble);
  const at::Tensor gradient = at::tensor({2.0, -1e-9, 0.0, 7.0}, at::kDouble).view({1, 4});
  const at::Tensor expected = at::tensor({0.30, 0.20, 0.25, 0.30}, at::kDouble).view({1, 4});
  EXPECT_TRUE(at::allclose(moved_style_weights(a, gradient, 0.05), expected, 0, 1e-12));
}

TEST(StyleWeights, StayBetweenZeroAndOne) {
  const at::Tensor a = at::tensor({0.98, 0.03}, at::kDouble).view({1, 2});
  const at::Tensor gradient = at::tensor({1.0, -1.0}, at::kDouble).view({1, 2});
  EXPECT_TRUE(at::equal(moved_style_weights(a, gradient, 0.05), at::tensor({1.0, 0.0}, at::kDouble).view({1, 2})));
}

TEST(StyleWeights, AreSharesOfTheirSum) {
  const at::Tensor w = normalised_style_weights(at::tensor({0.3, 0.1, 0.0, 0.0}, at::kDouble).view({2, 2}));
  EXPECT_NEAR(w[0][0].item<double>(), 0.3 / 0.400001, 1e-12);
  EXPECT_EQ(w[1].abs().sum().item<double>(), 0);
}

TEST(MixedStyles, AreTheWeightedSumsAlsoOfAStyleThatComesTwice) {
  const at::Tensor style = noise(3, {3, 2, 5}), weight = noise(4, {3, 4}).abs(),
                   mixed = mixed_styles(style, kIndex, weight);
  for (std::int64_t i = 0; i < 3; ++i) {
    at::Tensor sum = at::zeros({2, 5}, at::kDouble);
    for (std::int64_t k = 0; k < 4; ++k) sum += weight[i][k] * style[kIndex[i][k].item<std::int64_t>()];
    EXPECT_TRUE(at::allclose(mixed[i], sum, 1e-12, 1e-12));
  }
  EXPECT_THROW(mixed_styles(style, kIndex, weight.narrow(1, 0, 3)), ShapeError);
}

TEST_P(StyleSearchOf, TheGradientOfTheWeightsIsThatOfFiniteDifferences) {
  const at::Tensor a = (noise(5, {3, 4}).abs() + 0.1).requires_grad_();
  const at::Tensor gradient = torch::autograd::grad({problem_.loss(normalised_style_weights(a))}, {a})[0];
  for (std::int64_t i = 0; i < 12; ++i) {
    const at::Tensor move = at::zeros({12}, at::kDouble).index_fill(0, at::tensor({i}), 1e-5).view({3, 4});
    const at::Tensor at_a = a.detach();
    const double difference = (problem_.value(at_a + move) - problem_.value(at_a - move)) / 2e-5;
    EXPECT_NEAR(gradient.flatten()[i].item<double>(), difference, 1e-6);
  }
}

TEST_P(StyleSearchOf, OneStepOfAscentRaisesTheLoss) {
  const StyleSearch none = search(0), one = search(1, 0.001);
  EXPECT_TRUE(at::equal(none.a_NK, at::full({3, 4}, 0.25, at::kDouble)));
  EXPECT_NEAR(one.first_loss, problem_.value(none.a_NK), 1e-12);
  EXPECT_GT(problem_.value(one.a_NK), one.first_loss);
}

TEST_P(StyleSearchOf, TenStepsEndHigherThanTheyBegan) {
  const StyleSearch ten = search(10);
  EXPECT_GT(ten.last_loss, ten.first_loss);
  EXPECT_GT(problem_.value(ten.a_NK), ten.first_loss);
}

TEST_P(StyleSearchOf, LeavesNoGradientsInTheClassifierAndWorksWithoutGradientsOutside) {
  const c10::NoGradGuard no_grad;
  const StyleSearch found = search(2);
  EXPECT_FALSE(problem_.head.grad().defined());
  EXPECT_FALSE(found.a_NK.requires_grad());
  EXPECT_FALSE(at::equal(found.a_NK, search(0).a_NK));
}

INSTANTIATE_TEST_SUITE_P(Splits, StyleSearchOf, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "fourier" : "adain"; });

TEST(StyleSearchLoss, ThatIsNotFiniteIsAnError) {
  const auto broken = [](const at::Tensor& w) { return w.sum() * std::numeric_limits<double>::quiet_NaN(); };
  EXPECT_THROW(search_style_weights(3, 4, at::kDouble, {}, broken), Error);
}

}  // namespace domainfusion
