#include "domainfusion/augmentation/styles/style_mixing.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {
namespace {

at::Tensor maps(std::uint64_t seed) {
  RandomStream stream(seed, "maps");
  return normal_tensor(stream, {3, 2, 4, 4}).to(at::kDouble) * (1 + static_cast<double>(seed)) + 2;
}

bool close(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-6, 1e-6); }

at::Tensor all(double share) { return at::full({3}, share, at::kDouble); }

}  // namespace

TEST(StyleMixing, AnImageThatKeepsItsWholeStyleStaysAsItIs) {
  EXPECT_TRUE(close(mix_statistics(maps(1), maps(2), all(1)), maps(1)));
  EXPECT_TRUE(close(match_distribution(maps(1), maps(2), all(1)), maps(1)));
}

TEST(StyleMixing, MixStyleGivesTheMixedMeansAndDeviations) {
  const at::Tensor x = maps(1), style = maps(2), mixed = mix_statistics(x, style, all(0.25));
  const auto expect_mixed = [&](const auto& statistic) {
    EXPECT_TRUE(at::allclose(statistic(mixed), 0.25 * statistic(x) + 0.75 * statistic(style), 1e-5, 1e-5));
  };
  expect_mixed([](const at::Tensor& m) { return m.mean({2, 3}); });
  expect_mixed([](const at::Tensor& m) { return m.std(at::IntArrayRef{2, 3}, true); });
}

TEST(StyleMixing, EfdMixGivesTheStylesValuesInTheOrderOfTheContent) {
  const at::Tensor x = maps(1), style = maps(2), mixed = match_distribution(x, style, all(0));
  EXPECT_TRUE(close(std::get<0>(mixed.flatten(2).sort(-1, false)), std::get<0>(style.flatten(2).sort(-1, false))));
  EXPECT_TRUE(at::equal(mixed.flatten(2).argsort(-1, false), x.flatten(2).argsort(-1, false)));
}

TEST(StyleMixing, EachImageHasItsOwnShare) {
  const at::Tensor share = at::tensor({1.0, 0.0, 0.5}, at::kDouble);
  for (const auto mix :
       {+[](const at::Tensor&x, const at::Tensor&y, const at::Tensor&s) { return mix_statistics(x, y, s); },
        &match_distribution}) {
    const at::Tensor together = mix(maps(1), maps(2), share);
    for (std::int64_t i = 0; i < 3; ++i) {
      const auto one = [i](const at::Tensor& t) { return t.narrow(0, i, 1); };
      EXPECT_TRUE(close(one(together), mix(one(maps(1)), one(maps(2)), one(share))));
    }
  }
}

TEST(StyleMixing, ChannelsWithoutVarianceStayFinite) {
  const at::Tensor flat = at::zeros({3, 2, 4, 4}, at::kDouble);
  EXPECT_TRUE(at::isfinite(mix_statistics(flat, maps(2), all(0.5))).all().item<bool>());
  EXPECT_TRUE(close(match_distribution(flat, flat, all(0.5)), flat));
}

TEST(StyleMixing, OtherShapesAreRefused) {
  EXPECT_THROW(mix_statistics(maps(1), maps(2).narrow(0, 0, 2), all(1)), ShapeError);
  EXPECT_THROW(match_distribution(maps(1), maps(2).narrow(2, 0, 2), all(1)), ShapeError);
  EXPECT_THROW(match_distribution(maps(1), maps(2), at::ones({2}, at::kDouble)), ShapeError);
}

}  // namespace domainfusion
