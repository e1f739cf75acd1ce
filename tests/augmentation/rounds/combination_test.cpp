#include "domainfusion/augmentation/rounds/combination.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <set>

#include "augmentation/tiny_rounds.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

at::Tensor noise01(std::uint64_t seed, at::IntArrayRef sizes) {
  RandomStream stream(seed, "values");
  return (normal_tensor(stream, sizes) * 0.15 + 0.5).clamp(0.01, 0.99).to(at::kDouble);
}

// A linear classifier of two classes over 12 x 12 px.
StyleJudge linear_judge(std::string hash = "judge") {
  RandomStream stream(8, "judge");
  const at::Tensor head = normal_tensor(stream, {3 * 12 * 12, 2});
  return {[head](const at::Tensor& image01) { return image01.flatten(1).matmul(head); }, std::move(hash)};
}

class CombinationRules : public ::testing::TestWithParam<std::string> {
 protected:
  Combined combined(CombineRule rule, std::uint64_t step = 0) {
    CombinationConfig config;
    config.rule = rule;
    const CombinationInput input{*decomposition_, x_, candidates_, 1,
                                 [](const at::Tensor& values) { return values.to(at::kFloat); }};
    return combined_by_rule(config, input, linear_judge(), {7, "combine", {step}});
  }
  std::unique_ptr<Decomposition> decomposition_ = decompositions().make(GetParam(), {});
  at::Tensor x_ = noise01(1, {1, 3, 12, 12}), candidates_ = noise01(2, {3, 3, 12, 12});
};

class CombinedRounds : public ::testing::TestWithParam<std::tuple<std::string, CombineRule>>, protected TinyRounds {
 protected:
  CombinedRounds() {
    config_.combination.search.move_steps = 3;
    std::tie(config_.decomposition, config_.combination.rule) = GetParam();
  }
  AugmentationRounds rounds(const std::string& folder, const StyleJudge& judge = linear_judge()) const {
    return TinyRounds::rounds(folder, 4, judge);
  }
  CombineRule rule() const { return config_.combination.rule; }
};

std::string word_of(CombineRule rule) {
  CombinationConfig config;
  config.rule = rule;
  return fields_of(config).at("combine").get().get<std::string>();
}

}  // namespace

TEST_P(CombinationRules, NoneIsADrawnCandidateAsItIs) {
  std::set<std::int64_t> drawn;
  for (std::uint64_t step = 0; step < 20; ++step) {
    const Combined none = combined(CombineRule::kNone, step);
    EXPECT_TRUE(at::equal(none.values, candidates_.narrow(0, none.style, 1)));
    EXPECT_EQ(none.content, none.style);
    drawn.insert(none.style);
  }
  EXPECT_EQ(drawn.size(), 3U);
}

TEST_P(CombinationRules, MixStyleMovesTheMeansOfXTowardsTheCandidatesByTheRecordedShare) {
  const Combined mixed = combined(CombineRule::kMixStyle);
  const auto mean = [](const at::Tensor& values) { return values.mean({2, 3}); };
  const at::Tensor expected =
      *mixed.own_share * mean(x_) + (1 - *mixed.own_share) * mean(candidates_.narrow(0, mixed.style, 1));
  EXPECT_TRUE(at::allclose(mean(mixed.values), expected, 0, 1e-3));  // pixels are clamped
  EXPECT_EQ(mixed.content, -1);
}

TEST_P(CombinationRules, EfdMixKeepsTheOrderOfTheValuesOfX) {
  const Combined mixed = combined(CombineRule::kEfdMix);
  const at::Tensor order = x_.flatten(2).argsort(-1, false);
  EXPECT_GE(mixed.values.flatten(2).gather(-1, order).diff(1, -1).min().item<double>(), -1e-12);
  EXPECT_FALSE(at::allclose(mixed.values, x_));
}

TEST_P(CombinationRules, ModeMakesAnImageThatTheJudgeFindsHarderThanTheEvenMixture) {
  const StyleJudge judge = linear_judge();
  const auto loss = [&](const at::Tensor& image01) {
    return at::cross_entropy_loss(judge.logits(image01.to(at::kFloat)), at::tensor({1}, at::kLong)).item<double>();
  };
  const StyleContent x = decomposition_->decompose(x_);
  const at::Tensor styles = at::cat({x.style, decomposition_->decompose(candidates_).style});
  const at::Tensor even = decomposition_->fused(x, {styles.mean(0, true), x.content}, x);
  const Combined found = combined(CombineRule::kMode);
  EXPECT_GT(loss(found.values), loss(even));
  EXPECT_EQ(found.style_weights.size(), 4U);
  double sum = 0;
  for (const double weight : found.style_weights) sum += weight;
  EXPECT_NEAR(sum, 1, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Decompositions, CombinationRules, ::testing::ValuesIn(decompositions().names()),
                         [](const auto& info) { return info.param; });

TEST_P(CombinedRounds, equal_seeds_give_equal_bytes_whatever_the_grouping) {
  rounds("a").run(0);
  config_.batch_images = 1;
  AugmentationRounds single = rounds("b");
  EXPECT_EQ(single.run(0)->unchanged, 0);
  EXPECT_EQ(images_below("a"), images_below("b"));
  EXPECT_FALSE(images_below("a").empty());
}

TEST_P(CombinedRounds, a_killed_round_ends_like_an_uninterrupted_one) {
  rounds("whole").run(0);
  const std::string manifest = read_file(folder_ / "whole/manifest.jsonl");
  fs::copy(folder_ / "whole", folder_ / "killed", fs::copy_options::recursive);
  fs::resize_file(folder_ / "killed/manifest.jsonl", manifest.size() / 2);
  AugmentationRounds resumed = rounds("killed"), whole = rounds("whole");
  resumed.run(0);
  EXPECT_EQ(images_below("killed"), images_below("whole"));
  for (const SyntheticRecord* record : whole.store().records(0)) {
    EXPECT_EQ(record->to_json(), resumed.store().find(0, record->parent)->to_json());
  }
}

TEST_P(CombinedRounds, the_manifest_says_what_was_chosen) {
  AugmentationRounds run = rounds("a");
  run.run(0);
  const bool mixes = rule() == CombineRule::kMixStyle || rule() == CombineRule::kEfdMix;
  for (const SyntheticRecord* record : run.store().records(0)) {
    const SyntheticRecord read = SyntheticRecord::from_json(record->to_json());
    EXPECT_EQ(read.own_share.has_value(), mixes);
    EXPECT_EQ(read.style_weights.size(), rule() == CombineRule::kMode ? 4U : 0U);
    EXPECT_EQ(read.style_candidate >= 0, rule() != CombineRule::kMode);
    EXPECT_EQ(read.content_candidate >= 0, rule() == CombineRule::kNone);
    EXPECT_EQ(read.style_weights, record->style_weights);
  }
}

TEST_P(CombinedRounds, failed_candidates_are_never_drawn) {
  generator_.spoil = [](std::int64_t call, at::Tensor& latent) {
    if (call % 3 != 1) latent.fill_(std::numeric_limits<float>::quiet_NaN());
  };
  AugmentationRounds run = rounds("a");
  EXPECT_EQ(run.run(0)->unchanged, 0);
  for (const SyntheticRecord* record : run.store().records(0)) {
    EXPECT_EQ(record->candidates, (std::vector<std::int64_t>{1}));
    if (rule() != CombineRule::kMode) {
      EXPECT_EQ(record->style_candidate, 1);
    }
  }
}

TEST_P(CombinedRounds, another_rule_is_another_synthetic_set) {
  { rounds("a"); }
  config_.combination.rule = CombineRule::kDomainFusion;
  EXPECT_THROW(rounds("a"), ConfigError);
}

INSTANTIATE_TEST_SUITE_P(Rules, CombinedRounds,
                         ::testing::Combine(::testing::ValuesIn(decompositions().names()),
                                            ::testing::Values(CombineRule::kNone, CombineRule::kMixStyle,
                                                              CombineRule::kEfdMix, CombineRule::kMode)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + word_of(std::get<1>(info.param));
                         });

class ModeRounds : public CombinedRounds {};

TEST_P(ModeRounds, need_a_judge_whose_weights_are_part_of_the_sets_identity) {
  EXPECT_THROW(rounds("a", {}), ConfigError);
  { rounds("a"); }
  EXPECT_NO_THROW(rounds("a"));
  EXPECT_THROW(rounds("a", linear_judge("another")), ConfigError);
}

INSTANTIATE_TEST_SUITE_P(Fourier, ModeRounds, ::testing::Values(std::tuple("fourier", CombineRule::kMode)));

class FusionRounds : public CombinedRounds {};

TEST_P(FusionRounds, keep_the_identity_that_sets_had_before_there_were_rules) {
  { rounds("a", {}); }
  const auto lines = read_json_lines(folder_ / "a/manifest.jsonl");
  const nlohmann::json& options = lines.at(0).at("identity").at("options");
  for (const char* key : {"combine", "mix_alpha", "move_steps", "move_rate"})
    EXPECT_FALSE(options.contains(key)) << key;
  EXPECT_FALSE(lines.at(0).at("identity").contains("judge"));
  config_.combination.mix_alpha = 3;
  EXPECT_NO_THROW(rounds("a", {}));
}

INSTANTIATE_TEST_SUITE_P(Fourier, FusionRounds, ::testing::Values(std::tuple("fourier", CombineRule::kDomainFusion)));

}  // namespace domainfusion
