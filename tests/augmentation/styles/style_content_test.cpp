#include "domainfusion/augmentation/styles/style_content.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "domainfusion/augmentation/styles/adain.h"
#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {
namespace {

at::Tensor random_image(std::uint64_t id, at::IntArrayRef sizes = {1, 3, 8, 6}) {
  RandomStream stream(7, "test image", {id});
  return at::sigmoid(normal_tensor(stream, sizes)).to(at::kDouble);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

at::Tensor row(std::vector<double> values) { return at::tensor(values, at::kDouble).reshape({1, 1, 1, -1}); }

TEST(Fourier, spectrum_of_a_row_is_the_hand_computed_one) {
  // x = 1 0 0 0: F = 1 1 1 1; x = 0 1 0 0: F = 1 -i -1 i.
  const StyleContent first = fourier_spectrum(row({1, 0, 0, 0}));
  EXPECT_LT(largest_difference(first.style, row({1, 1, 1, 1})), 1e-12);
  EXPECT_LT(largest_difference(first.content, row({0, 0, 0, 0})), 1e-12);
  const StyleContent second = fourier_spectrum(row({0, 1, 0, 0}));
  EXPECT_LT(largest_difference(second.style, row({1, 1, 1, 1})), 1e-12);
  EXPECT_LT(largest_difference(second.content.cos(), row({1, 0, -1, 0})), 1e-12);
  EXPECT_LT(largest_difference(second.content.sin(), row({0, -1, 0, 1})), 1e-12);
}

TEST(Fourier, window_is_the_square_around_the_zero_frequency) {
  const at::Tensor even = low_frequency_window(4, 6, 0.25);  // reach 1
  EXPECT_EQ(even.sum().item<std::int64_t>(), 9);
  for (const auto& [h, w] : std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {0, 5}, {1, 0}, {3, 0}, {3, 5}, {1, 1}}) {
    EXPECT_TRUE(even[h][w].item<bool>()) << h << " " << w;
  }
  EXPECT_FALSE(even[2][0].item<bool>());
  EXPECT_EQ(low_frequency_window(5, 5, 0.1).sum().item<std::int64_t>(), 1);
  EXPECT_TRUE(low_frequency_window(5, 5, 0.1)[0][0].item<bool>());
}

TEST(Fourier, window_leaves_high_frequencies_alone) {
  const at::Tensor a = fourier_spectrum(random_image(1)).style;
  const at::Tensor b = fourier_spectrum(random_image(2)).style;
  const at::Tensor mixed = mix_amplitudes(a, b, 1, 0.2);
  const at::Tensor inside = low_frequency_window(8, 6, 0.2).expand_as(a);
  EXPECT_TRUE(at::equal(mixed.masked_select(inside), b.masked_select(inside)));
  EXPECT_TRUE(at::equal(mixed.masked_select(inside.logical_not()), a.masked_select(inside.logical_not())));
}

TEST(Fourier, an_envelope_is_exchanged_without_the_fine_spectrum) {
  const at::Tensor a = fourier_spectrum(random_image(1)).style, b = fourier_spectrum(random_image(2)).style;
  EXPECT_LT(largest_difference(exchange_envelope(a, a, 2), a), 1e-9 * a.max().item<double>());
  // Half the contrast everywhere: half of every amplitude; the image's mean, at frequency zero, is the other's.
  at::Tensor half = 0.5 * a;
  half.select(2, 0).select(2, 0).fill_(7);
  const at::Tensor got = exchange_envelope(a, half, 2);
  EXPECT_TRUE(at::allclose(got.slice(2, 1), 0.5 * a.slice(2, 1)));
  EXPECT_TRUE(at::allclose(got.select(2, 0).select(2, 0), half.select(2, 0).select(2, 0)));
  // Reaches beyond half the spectrum mean all of it.
  EXPECT_TRUE(exchange_envelope(a, b, 64).isfinite().all().item<bool>());
}

TEST(Fourier, with_an_envelope_content_keeps_its_own_spectrum) {
  const at::Tensor content = random_image(1).abs().clamp(0, 1);
  DecompositionConfig config;
  config.envelope = 1;
  const FourierDecomposition fourier(config);
  const StyleContent parts = fourier.decompose(content);
  EXPECT_LT(largest_difference(fourier.fused(parts, parts, parts), content), 1e-6);
}

TEST(Fourier, cosine_style_similarity_is_the_hand_computed_one) {
  FourierDecomposition fourier(DecompositionConfig{});
  // log(1 + amplitude) = 0 1 and 0 2 (equal after the mean is removed, but for scale); 1 0: opposite.
  const at::Tensor style = at::tensor({std::expm1(0.0), std::expm1(1.0)}, at::kDouble).reshape({1, 1, 1, 2});
  const at::Tensor others = at::tensor({0.0, std::expm1(2.0), std::expm1(1.0), 0.0}, at::kDouble).reshape({2, 1, 1, 2});
  const StyleContent x{style, at::zeros_like(style)};
  const StyleContent candidates{others, at::zeros_like(others)};
  const at::Tensor cosine = fourier.style_similarity(x, candidates, SimilarityForm::kCosine);
  EXPECT_NEAR(cosine[0].item<double>(), 1, 1e-9);
  EXPECT_NEAR(cosine[1].item<double>(), -1, 1e-9);
  const at::Tensor l2 = fourier.style_similarity(x, candidates, SimilarityForm::kL2);
  EXPECT_NEAR(l2[0].item<double>(), -std::sqrt(0.5), 1e-9);
  EXPECT_NEAR(l2[1].item<double>(), -1, 1e-9);
}

TEST(Fourier, content_similarity_weights_phases_with_the_amplitude_of_x) {
  FourierDecomposition fourier(DecompositionConfig{});
  const StyleContent x{row({3, 1}), row({0, 0})};
  const StyleContent candidate{row({1, 1}), row({M_PI / 2, M_PI})};
  EXPECT_NEAR(fourier.content_similarity(x, candidate, SimilarityForm::kCosine).item<double>(), (3 * 0 + 1 * -1) / 4.0,
              1e-9);
  EXPECT_NEAR(fourier.content_similarity(x, candidate, SimilarityForm::kL2).item<double>(), -std::sqrt((2 + 4) / 2.0),
              1e-9);
}

TEST(Fourier, a_swap_of_amplitudes_gives_the_style_of_the_other) {
  FourierDecomposition fourier(DecompositionConfig{});
  // 1 0 0 0 with twice the amplitude everywhere is 2 0 0 0: clamped to 1.
  const StyleContent x = fourier.decompose(row({0.5, 0, 0, 0}));
  const StyleContent brighter = fourier.decompose(row({0.9, 0, 0, 0}));
  EXPECT_LT(largest_difference(fourier.fused(x, brighter, x), row({0.9, 0, 0, 0})), 1e-12);
  const StyleContent beyond = fourier.decompose(row({1.8, 0, 0, 0}));
  EXPECT_LT(largest_difference(fourier.fused(x, beyond, x), row({1, 0, 0, 0})), 1e-12);
}

TEST(Adain, statistics_are_the_hand_computed_ones) {
  const at::Tensor z = at::tensor({1.0, 3.0, 1.0, 3.0, 5.0, 5.0, 5.0, 5.0}, at::kDouble).reshape({1, 2, 2, 2});
  const StyleContent parts = adain_statistics(z);
  const double deviation = std::sqrt(1 + 1e-5);  // population variance of 1 3 1 3 is 1
  EXPECT_NEAR(parts.style[0][0][0].item<double>(), 2, 1e-12);
  EXPECT_NEAR(parts.style[0][0][1].item<double>(), 5, 1e-12);
  EXPECT_NEAR(parts.style[0][1][0].item<double>(), deviation, 1e-12);
  EXPECT_NEAR(parts.style[0][1][1].item<double>(), std::sqrt(1e-5), 1e-12);
  EXPECT_NEAR(parts.content[0][0][0][0].item<double>(), -1 / deviation, 1e-12);
  EXPECT_NEAR(parts.content[0][1][1][1].item<double>(), 0, 1e-12);
}

TEST(Adain, cosine_style_similarity_standardises_over_the_candidates) {
  AdainDecomposition adain(DecompositionConfig{});
  // One channel: [mean, log deviation]. Candidates (0, 0), (2, 0): mean 1, deviation 1 in the first entry, none in the
  // second.
  const at::Tensor styles = at::tensor({0.0, 1.0, 2.0, 1.0}, at::kDouble).reshape({2, 2, 1});
  const at::Tensor style = at::tensor({5.0, 9.0}, at::kDouble).reshape({1, 2, 1});
  const StyleContent x{style, at::zeros({1, 1, 2, 2}, at::kDouble)};
  const StyleContent candidates{styles, at::zeros({2, 1, 2, 2}, at::kDouble)};
  const at::Tensor cosine = adain.style_similarity(x, candidates, SimilarityForm::kCosine);
  EXPECT_NEAR(cosine[0].item<double>(), -1, 1e-9);
  EXPECT_NEAR(cosine[1].item<double>(), 1, 1e-9);
  const at::Tensor l2 = adain.style_similarity(x, candidates, SimilarityForm::kL2);
  EXPECT_NEAR(l2[1].item<double>(), -std::hypot(3, std::log(9)), 1e-9);
}

TEST(Adain, content_similarity_is_the_mean_product_of_the_maps) {
  AdainDecomposition adain(DecompositionConfig{});
  const at::Tensor map = at::tensor({1.0, -1.0, 1.0, -1.0}, at::kDouble).reshape({1, 1, 2, 2});
  const at::Tensor other = at::tensor({1.0, 1.0, -1.0, -1.0}, at::kDouble).reshape({1, 1, 2, 2});
  const StyleContent x{at::ones({1, 2, 1}, at::kDouble), map};
  const StyleContent candidates{at::ones({3, 2, 1}, at::kDouble), at::cat({map, other, -map})};
  const at::Tensor cosine = adain.content_similarity(x, candidates, SimilarityForm::kCosine);
  EXPECT_NEAR(cosine[0].item<double>(), 1, 1e-12);
  EXPECT_NEAR(cosine[1].item<double>(), 0, 1e-12);
  EXPECT_NEAR(cosine[2].item<double>(), -1, 1e-12);
  const at::Tensor l2 = adain.content_similarity(x, candidates, SimilarityForm::kL2);
  EXPECT_NEAR(l2[2].item<double>(), -4, 1e-12);
}

TEST(Adain, a_single_candidate_has_a_defined_similarity) {
  AdainDecomposition adain(DecompositionConfig{});
  const StyleContent x = adain.decompose(random_image(1));
  const at::Tensor cosine = adain.style_similarity(x, adain.decompose(random_image(2)), SimilarityForm::kCosine);
  EXPECT_EQ(cosine.item<double>(), 0);
}

// What every decomposition has to keep, now and later.
class EveryDecomposition : public ::testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<Decomposition> make(double mix = 1, double window = 0) {
    return decompositions().make(GetParam(), DecompositionConfig{mix, window});
  }
};

TEST_P(EveryDecomposition, combining_an_image_with_itself_returns_it) {
  for (const auto& [height, width] : std::vector<std::pair<int, int>>{{8, 6}, {7, 5}, {1, 1}}) {
    const at::Tensor image = random_image(3, {1, 3, height, width});
    for (double mix : {0.0, 0.3, 1.0}) {
      const auto decomposition = make(mix);
      const StyleContent x = decomposition->decompose(image);
      EXPECT_LT(largest_difference(decomposition->fused(x, x, x), image), 1e-9) << mix;
    }
  }
}

TEST_P(EveryDecomposition, mix_0_keeps_the_style_of_x) {
  const auto decomposition = make(0);
  const at::Tensor image = random_image(4);
  const StyleContent x = decomposition->decompose(image);
  const StyleContent other = decomposition->decompose(random_image(5));
  EXPECT_LT(largest_difference(decomposition->fused(x, other, x), image), 1e-9);
}

TEST_P(EveryDecomposition, combined_style_and_content_are_the_chosen_ones) {
  const auto decomposition = make();
  // Near grey, so that hardly a pixel is clamped.
  const StyleContent x = decomposition->decompose(random_image(6) * 0.2 + 0.4);
  const StyleContent style = decomposition->decompose(random_image(7) * 0.2 + 0.4);
  const StyleContent content = decomposition->decompose(random_image(8) * 0.2 + 0.4);
  const StyleContent again = decomposition->decompose(decomposition->fused(x, style, content));
  EXPECT_LT(largest_difference(again.style, style.style), 1e-3);
  EXPECT_GT(decomposition->content_similarity(content, again, SimilarityForm::kCosine).item<double>(), 0.95);
}

TEST_P(EveryDecomposition, nothing_is_more_similar_to_an_image_than_itself) {
  const auto decomposition = make();
  const StyleContent x = decomposition->decompose(random_image(9));
  const StyleContent candidates = decomposition->decompose(
      at::cat({random_image(10), random_image(9), random_image(11) * 0.3, random_image(12).flip(3)}));
  for (SimilarityForm form : {SimilarityForm::kCosine, SimilarityForm::kL2}) {
    EXPECT_EQ(decomposition->style_similarity(x, candidates, form).argmax().item<std::int64_t>(), 1);
    EXPECT_EQ(decomposition->content_similarity(x, candidates, form).argmax().item<std::int64_t>(), 1);
  }
}

TEST_P(EveryDecomposition, candidates_do_not_depend_on_their_batch) {
  const auto decomposition = make();
  const at::Tensor images = at::cat({random_image(13), random_image(14), random_image(15)});
  const StyleContent together = decomposition->decompose(images);
  for (std::int64_t i = 0; i < 3; ++i) {
    const StyleContent alone = decomposition->decompose(images.narrow(0, i, 1));
    EXPECT_LT(largest_difference(alone.style, together.at(i).style), 1e-12);
    EXPECT_LT(largest_difference(alone.content, together.at(i).content), 1e-12);
  }
}

TEST_P(EveryDecomposition, float32_stays_float32) {
  const auto decomposition = make();
  const StyleContent x = decomposition->decompose(random_image(16).to(at::kFloat));
  EXPECT_EQ(decomposition->fused(x, x, x).scalar_type(), at::kFloat);
}

TEST_P(EveryDecomposition, wrong_shapes_are_shape_errors) {
  const auto decomposition = make();
  EXPECT_THROW(decomposition->decompose(at::zeros({3, 8, 8})), ShapeError);
  EXPECT_THROW(decomposition->decompose(at::zeros({0, 3, 8, 8})), ShapeError);
  EXPECT_THROW(decomposition->decompose(at::zeros({1, 3, 8, 8}, at::kByte)), ShapeError);
  const StyleContent x = decomposition->decompose(random_image(17));
  const StyleContent other = decomposition->decompose(random_image(18, {1, 2, 8, 6}));
  EXPECT_THROW(decomposition->style_similarity(x, other, SimilarityForm::kCosine), ShapeError);
  EXPECT_THROW(decomposition->content_similarity(x, other, SimilarityForm::kL2), ShapeError);
  EXPECT_THROW(decomposition->fused(x, other, x), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryDecomposition, ::testing::ValuesIn(decompositions().names()),
                         [](const auto& info) { return info.param; });

TEST(Decompositions, an_unknown_name_names_the_nearest) {
  try {
    decompositions().make("furier", DecompositionConfig{});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'fourier'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace domainfusion
