#include "domainfusion/augmentation/rounds/selection.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {
namespace {

// Similarities are the numbers themselves.
class GivenSimilarities final : public Decomposition {
 public:
  Space space() const override { return Space::kPixels; }
  StyleContent decompose(const at::Tensor& values) const override { return {values, values}; }
  at::Tensor style_similarity(const StyleContent&, const StyleContent& c, SimilarityForm) const override {
    return c.style;
  }
  at::Tensor content_similarity(const StyleContent&, const StyleContent& c, SimilarityForm) const override {
    return c.content;
  }
  at::Tensor fused(const StyleContent&, const StyleContent&, const StyleContent& c) const override { return c.content; }
};

Selection select(std::vector<float> styles, std::vector<float> contents) {
  const StyleContent x{at::zeros({1}), at::zeros({1})};
  return select_candidates(GivenSimilarities{}, x, {at::tensor(styles), at::tensor(contents)}, {});
}

TEST(Selection, takes_the_least_similar_style_and_the_most_similar_content) {
  const Selection selection = select({0.5F, 0.25F, 0.75F}, {0.5F, -0.25F, 0.75F});
  EXPECT_EQ(selection.style, 1);
  EXPECT_EQ(selection.content, 2);
  EXPECT_EQ(selection.style_similarities, (std::vector<double>{0.5, 0.25, 0.75}));
  EXPECT_EQ(selection.content_similarities, (std::vector<double>{0.5, -0.25, 0.75}));
}

TEST(Selection, ties_go_to_the_lowest_index) {
  const Selection selection = select({0.5F, 0.25F, 0.25F}, {0.5F, 0.75F, 0.75F});
  EXPECT_EQ(selection.style, 1);
  EXPECT_EQ(selection.content, 1);
}

TEST(Selection, a_single_candidate_gives_both) {
  const Selection selection = select({0.5F}, {0.5F});
  EXPECT_EQ(selection.style, 0);
  EXPECT_EQ(selection.content, 0);
}

TEST(Selection, a_similarity_that_is_not_finite_is_an_error) {
  EXPECT_THROW(select({0.5F, std::numeric_limits<float>::quiet_NaN()}, {0, 0}), Error);
  EXPECT_THROW(select({0.5F, 0.5F}, {0, std::numeric_limits<float>::infinity()}), Error);
}

TEST(Selection, style_and_content_may_come_from_different_candidates_of_real_images) {
  RandomStream stream(1, "test");
  const at::Tensor image = at::sigmoid(normal_tensor(stream, {1, 3, 16, 16})).to(at::kDouble);
  // Candidate 0: same content, darker (another amplitude). Candidate 1: turned by half a turn (same amplitude, another
  // phase).
  const at::Tensor candidates = at::cat({image.pow(3), image.flip({2, 3})});
  const auto fourier = decompositions().make("fourier", DecompositionConfig{});
  const Selection selection =
      select_candidates(*fourier, fourier->decompose(image), fourier->decompose(candidates), {});
  EXPECT_EQ(selection.style, 0);
  EXPECT_EQ(selection.content, 0);
  EXPECT_NEAR(selection.style_similarities[1], 1, 1e-9);
}

TEST(SelectionConfig, words_of_the_config_choose_the_form) {
  SelectionConfig config;
  ConfigFields fields = fields_of(config);
  fields.from_json({{"style_similarity", "l2"}});
  EXPECT_EQ(config.style_similarity, SimilarityForm::kL2);
  EXPECT_EQ(config.content_similarity, SimilarityForm::kCosine);
  EXPECT_THROW(fields.from_json({{"style_similarity", "l1"}}), ConfigError);
}

}  // namespace
}  // namespace domainfusion
