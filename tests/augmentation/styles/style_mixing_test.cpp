#include "domainfusion/augmentation/styles/style_mixing.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {
namespace {

at::Tensor maps(std::uint64_t seed) {
  RandomStream stream(seed, "maps");
  return normal_tensor(stream, {3, 2, 4, 4}).to(at::kDouble) * (1 + static_cast<double>(seed)) + 2;
}

bool close(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-6, 1e-6); }

at::Tensor pictures(std::uint64_t seed, std::int64_t count) {
  RandomStream stream(seed, "pictures");
  return (normal_tensor(stream, {count, 3, 8, 6}) * 0.2 + 0.5).clamp(0, 1);
}

const RandomStream kSpectraStream{1, "shared styles", {7}};

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

TEST(SpectraMixing, EachImageKeepsItsPhaseAndTakesAShareOfADrawnAmplitude) {
  const at::Tensor image01 = pictures(1, 5), style01 = pictures(2, 3);
  const at::Tensor mixed = mix_spectra(image01, style01, 0.6, kSpectraStream);
  RandomStream draws = kSpectraStream;
  for (std::int64_t i = 0; i < 5; ++i) {
    const at::Tensor drawn = style01.narrow(0, static_cast<std::int64_t>(draws.below(3)), 1);
    const double share = draws.uniform(0, 0.6);
    const StyleContent own = fourier_spectrum(image01.narrow(0, i, 1));
    const at::Tensor expected =
        image_from_spectrum(mix_amplitudes(own.style, fourier_spectrum(drawn).style, share, 0), own.content);
    EXPECT_TRUE(at::allclose(mixed.narrow(0, i, 1), expected.clamp(0, 1), 1e-4, 1e-5)) << i;
  }
}

TEST(SpectraMixing, NoShareIsTheImageItself) {
  EXPECT_TRUE(at::allclose(mix_spectra(pictures(1, 4), pictures(2, 2), 0, kSpectraStream), pictures(1, 4), 1e-4, 1e-5));
}

TEST(SpectraMixing, StaysAPicture) {
  const at::Tensor mixed = mix_spectra(pictures(1, 4) * 5 - 2, pictures(2, 3), 1, kSpectraStream);
  EXPECT_EQ(mixed.min().item<double>(), 0);
  EXPECT_EQ(mixed.max().item<double>(), 1);
}

TEST(SpectraMixing, EqualStreamsGiveEqualBits) {
  const auto images = [](std::uint64_t step) {
    return mix_spectra(pictures(1, 4), pictures(2, 3), 1, {1, "shared styles", {step}});
  };
  EXPECT_TRUE(at::equal(images(3), images(3)));
  EXPECT_FALSE(at::equal(images(3), images(4)));
}

TEST(SpectraMixing, OtherSizesAreRefused) {
  EXPECT_THROW(mix_spectra(pictures(1, 4), at::zeros({2, 3, 8, 8}), 1, kSpectraStream), ShapeError);
}

}  // namespace domainfusion
