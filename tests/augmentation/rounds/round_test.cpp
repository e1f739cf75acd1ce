#include <gtest/gtest.h>

#include <limits>

#include "augmentation/tiny_rounds.h"
#include "domainfusion/data/caches/shrunk_dataset.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class RoundTest : public ::testing::TestWithParam<std::string>, protected TinyRounds {
 protected:
  RoundTest() {
    if (::testing::UnitTest::GetInstance()->current_test_info()->value_param() != nullptr)
      config_.decomposition = GetParam();
  }
};

TEST_P(RoundTest, makes_the_planned_images_and_counts_them) {
  AugmentationRounds run = rounds("a");
  const RoundSummary first = *run.run(0);
  EXPECT_EQ(first.covered, 7);
  EXPECT_EQ(first.unchanged, 0);
  EXPECT_EQ(first.generated, 21);
  EXPECT_EQ(generator_.made, 21);
  EXPECT_EQ(first.cdga, 12);
  EXPECT_EQ(run.as_of(0)->total(), 7);
  const RoundSummary second = *run.run(1);
  EXPECT_EQ(second.generated_so_far, 42);
  EXPECT_DOUBLE_EQ(second.share_of_cdga(), 3.5);
  EXPECT_EQ(run.as_of(0)->total(), 7);
  EXPECT_EQ(run.as_of(1)->total(), 12);
  EXPECT_GT(first.made.drift.drift, 0.01);
  EXPECT_GT(first.made.drift.style_distance, 0);
  EXPECT_LT(first.round_trip.drift.drift, 1e-6);  // squares of 4 px survive 2 x 2 means
  EXPECT_NEAR(first.round_trip.drift.content_similarity, 1, 1e-6);
  EXPECT_FALSE(first.made.class_fidelity.has_value());
  EXPECT_NE(first.text().find("CDGA would generate 12"), std::string::npos) << first.text();
}

TEST_P(RoundTest, equal_seeds_give_equal_bytes_and_others_do_not) {
  rounds("a").run(0);
  rounds("b").run(0);
  rounds("c", 5).run(0);
  EXPECT_EQ(images_below("a"), images_below("b"));
  EXPECT_NE(images_below("a"), images_below("c"));
}

TEST_P(RoundTest, grouping_changes_no_byte) {
  rounds("a").run(0);
  config_.batch_images = 1;
  rounds("b").run(0);
  EXPECT_EQ(images_below("a"), images_below("b"));
}

TEST_P(RoundTest, a_killed_round_ends_like_an_uninterrupted_one) {
  {
    AugmentationRounds whole = rounds("whole");
    whole.run(0);
    whole.run(1);
  }
  const std::string manifest = read_file(folder_ / "whole/manifest.jsonl");
  const auto expected = images_below("whole");
  for (std::size_t cut : {manifest.size() / 3, manifest.size() * 3 / 4}) {
    fs::remove_all(folder_ / "killed");
    fs::copy(folder_ / "whole", folder_ / "killed", fs::copy_options::recursive);
    fs::resize_file(folder_ / "killed/manifest.jsonl", cut);
    generator_.made = 0;
    AugmentationRounds resumed = rounds("killed");
    const RoundSummary first = *resumed.run(0);
    const RoundSummary second = *resumed.run(1);
    if (cut > manifest.size() / 2) {
      EXPECT_LT(generator_.made, 42) << "finished images are not made again";
    }
    EXPECT_EQ(images_below("killed"), expected);
    EXPECT_EQ(second.covered, 7);
    EXPECT_EQ(first.covered, 7);
    const AugmentationRounds whole = rounds("whole");
    for (const SyntheticRecord* record : whole.store().records(1)) {
      EXPECT_EQ(record->to_json(), resumed.store().find(1, record->parent)->to_json());
    }
  }
}

TEST_P(RoundTest, stopping_keeps_what_is_finished) {
  AugmentationRounds run = rounds("a");
  int asked = 0;
  RoundHooks hooks;
  hooks.should_stop = [&] { return asked++ == 1; };
  EXPECT_FALSE(run.run(0, hooks).has_value());
  EXPECT_EQ(run.store().records(0).size(), 3U);
  EXPECT_THROW(run.as_of(0), ConfigError);
  EXPECT_THROW(run.run(1), ConfigError);
  EXPECT_TRUE(run.run(0).has_value());
  EXPECT_EQ(generator_.made, 21);
}

TEST_P(RoundTest, the_next_round_starts_from_the_synthetic_image) {
  config_.budget.images_per_round = 12;
  AugmentationRounds run = rounds("a");
  run.run(0);
  const auto first = run.as_of(0);
  const SyntheticRecord* pictured = nullptr;
  run.run(1);
  for (const SyntheticRecord* record : run.store().records(1)) {
    const auto folder =
        folder_.path() / "a/pictures/round-0001" / fmt::format("{}-{}", record->parent.domain, record->parent.index);
    if (fs::exists(folder)) {
      pictured = record;
      EXPECT_EQ(read_image(folder / "x.png"),
                SyntheticStore::image(folder_ / "a", *run.store().find(0, record->parent)));
      EXPECT_EQ(read_image(folder / "raw.png"), set_->image(record->parent.domain, record->parent.index));
      EXPECT_EQ(read_image(folder / "made.png"), SyntheticStore::image(folder_ / "a", *record));
      EXPECT_TRUE(fs::exists(folder / "candidate-2.png"));
    }
  }
  EXPECT_NE(pictured, nullptr);
  const auto list = nlohmann::json::parse(read_file(folder_ / "a/pictures/round-0001/pictures.json"));
  EXPECT_EQ(list.size(), 1U);
}

TEST_P(RoundTest, failed_candidates_are_dropped_and_counted) {
  // Of every three candidates the first is not finite, and of the first image all are constant.
  generator_.spoil = [](std::int64_t call, at::Tensor& latent) {
    if (call < 3) latent.fill_(0.5);
    if (call >= 3 && call % 3 == 0) latent.fill_(std::numeric_limits<float>::quiet_NaN());
  };
  AugmentationRounds run = rounds("a");
  const RoundSummary summary = *run.run(0);
  EXPECT_EQ(summary.failed, 3 + 6);
  EXPECT_EQ(summary.unchanged, 1);
  EXPECT_EQ(summary.generated, 21);
  EXPECT_EQ(run.as_of(0)->total(), 6);
  for (const SyntheticRecord* record : run.store().records(0)) {
    if (record->unchanged()) continue;
    EXPECT_EQ(record->candidates, (std::vector<std::int64_t>{1, 2}));
    EXPECT_GE(record->style_candidate, 1);
    EXPECT_GE(record->content_candidate, 1);
  }
}

TEST_P(RoundTest, class_fidelity_is_the_share_of_images_that_keep_their_label) {
  RoundHooks hooks;
  hooks.class_of = [](const at::Tensor& images) { return at::zeros({images.size(0)}, at::kLong); };
  AugmentationRounds run = rounds("a");
  const RoundSummary summary = *run.run(0, hooks);
  double zeros = 0;
  for (const SyntheticRecord* record : run.store().records(0)) zeros += record->label == 0 ? 1 : 0;
  EXPECT_DOUBLE_EQ(*summary.made.class_fidelity, zeros / 7);
  EXPECT_DOUBLE_EQ(*summary.round_trip.class_fidelity, zeros / 7);
  hooks.class_of = [](const at::Tensor&) { return at::zeros({1}, at::kLong); };
  EXPECT_THROW(run.run(1, hooks), ShapeError);
}

TEST_P(RoundTest, restored_detail_leaves_the_change_of_denoising_alone) {
  config_.combination.rule = CombineRule::kNone;
  generator_.kept_light = 0.6;
  generator_.change = 0;
  rounds("decoded").run(0);
  config_.detail = Detail::kRestored;
  AugmentationRounds restored = rounds("restored");
  restored.run(0);
  for (const SyntheticRecord* record : restored.store().records(0)) {
    const Image raw = set_->image(record->parent.domain, record->parent.index);
    EXPECT_EQ(SyntheticStore::image(folder_ / "restored", *record), raw);
    EXPECT_NEAR(record->made.drift, 0, 1e-6);
    EXPECT_GT(record->round_trip.drift, 0.05);  // the figures beside it stay those of the VAE
  }
  EXPECT_NE(images_below("decoded"), images_below("restored"));
  EXPECT_THROW(rounds("decoded"), ConfigError);  // another option makes another set
  generator_.change = 0.3;
  AugmentationRounds changed = rounds("changed");
  EXPECT_GT(changed.run(0)->made.drift.drift, 0.01);
}

TEST_P(RoundTest, reference_raw_compares_with_the_raw_image) {
  config_.budget.images_per_round = 12;
  config_.reference = StyleReference::kRaw;
  AugmentationRounds with_raw = rounds("a");
  config_.reference = StyleReference::kCurrent;
  AugmentationRounds with_current = rounds("b");
  // In the first round both are the same image; in the second one the similarities are to different ones.
  for (AugmentationRounds* run : {&with_raw, &with_current}) {
    ASSERT_TRUE(run->run(0).has_value());
    ASSERT_TRUE(run->run(1).has_value());
  }
  for (std::int64_t round : {0, 1}) {
    bool equal = true;
    for (const SyntheticRecord* record : with_raw.store().records(round)) {
      const SyntheticRecord* other = with_current.store().find(round, record->parent);
      ASSERT_NE(other, nullptr);
      equal = equal && record->content_similarities == other->content_similarities;
    }
    EXPECT_EQ(equal, round == 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Decompositions, RoundTest, ::testing::ValuesIn(decompositions().names()),
                         [](const auto& info) { return info.param; });

using RoundsOfOneRun = RoundTest;

TEST_F(RoundsOfOneRun, a_stored_round_is_not_made_again) {
  rounds("a").run(0);
  AugmentationRounds again = rounds("a");
  generator_.made = 0;
  EXPECT_EQ(again.run(0)->covered, 7);
  EXPECT_EQ(generator_.made, 0);
}

TEST_F(RoundsOfOneRun, other_options_other_weights_and_other_seeds_are_refused) {
  { rounds("a"); }
  EXPECT_THROW(rounds("a", 5), ConfigError);
  generator_.hash = "other";
  EXPECT_THROW(rounds("a"), ConfigError);
  generator_.hash = "tiny";
  config_.batch_images = 5;
  EXPECT_NO_THROW(rounds("a"));
  config_.strength = 0.75;
  const std::string message = message_of<ConfigError>([&] { rounds("a"); });
  EXPECT_NE(message.find("options.strength"), std::string::npos) << message;
}

TEST_F(RoundsOfOneRun, images_of_other_prompts_are_not_taken_over) {
  rounds("a").run(0);
  EXPECT_NO_THROW(rounds("a"));
  descriptions_[1] = "another";
  const std::string message = message_of<ConfigError>([&] { rounds("a"); });
  EXPECT_NE(message.find("a class0, second"), std::string::npos) << message;
  EXPECT_NE(message.find("a class0, another"), std::string::npos) << message;
}

TEST_F(RoundsOfOneRun, unknown_decompositions_and_rounds_are_config_errors) {
  EXPECT_THROW(rounds("a").run(3), ConfigError);
  EXPECT_THROW(rounds("a").run(-1), ConfigError);
  config_.decomposition = "wavelet";
  EXPECT_THROW(rounds("b"), ConfigError);
}

TEST_F(RoundsOfOneRun, candidates_follow_the_prompts_of_their_image) {
  AugmentationRounds run = rounds("a");
  run.run(0);
  std::size_t place = 0;
  for (const SyntheticRecord* record : run.store().records(0)) {
    const std::string name = "a class" + std::to_string(record->label) + ", ";
    const std::string own = record->parent.domain == 0 ? "first" : "second",
                      other = record->parent.domain == 0 ? "second" : "first";
    EXPECT_EQ(record->prompts, (std::vector<std::string>{name + other, name + own, name + other}));
    place += record->prompts.size();
  }
  EXPECT_EQ(generator_.seen_prompts.size(), place);
}

TEST_F(RoundsOfOneRun, candidates_follow_the_styles_drawn_for_their_image) {
  config_.styles.styles = {"mosaic", "batik", "gouache", "neon", "etching"};
  AugmentationRounds run = rounds("a");
  run.run(0);
  run.run(1);
  std::set<std::string> used;
  std::set<std::vector<std::string>> draws;
  for (std::int64_t round : {0, 1}) {
    for (const SyntheticRecord* record : run.store().records(round)) {
      const std::set<std::string> prompts(record->prompts.begin(), record->prompts.end());
      EXPECT_EQ(prompts.size(), 3u);
      for (const std::string& prompt : prompts) used.insert(prompt.substr(prompt.find(", ") + 2));
      draws.insert(record->prompts);
    }
  }
  EXPECT_EQ(used, (std::set<std::string>{"mosaic", "batik", "gouache", "neon", "etching"}));
  EXPECT_GT(draws.size(), 7u);
  config_.batch_images = 1;
  rounds("b").run(0);
  EXPECT_NO_THROW(rounds("a"));  // finds the same prompts for the images that are stored
  for (const auto& [name, bytes] : images_below("b")) EXPECT_EQ(images_below("a").at(name), bytes) << name;
}

TEST_F(RoundsOfOneRun, styles_make_another_set_and_their_absence_the_one_of_before) {
  rounds("a").run(0);
  const std::string manifest = read_file(folder_ / "a" / "manifest.jsonl");
  EXPECT_EQ(manifest.find("style_mix"), std::string::npos);
  EXPECT_EQ(manifest.find("near_styles"), std::string::npos);
  EXPECT_EQ(manifest.find("\"styles\""), std::string::npos);
  config_.styles.near = NearStyles::kAllow;  // says where words may come from, not which
  EXPECT_NO_THROW(rounds("a"));
  config_.styles.styles = {"mosaic"};
  EXPECT_NE(message_of<ConfigError>([&] { rounds("a"); }).find("styles"), std::string::npos);
  rounds("b").run(0);
  EXPECT_NO_THROW(rounds("b"));
  config_.style_mix = StyleMix::kBoth;
  EXPECT_THROW(rounds("b"), ConfigError);
}

TEST_F(RoundsOfOneRun, config_reads_its_own_echo) {
  RoundConfig config;
  ConfigFields fields = fields_of(config);
  const nlohmann::json defaults = fields.to_json();
  EXPECT_EQ(defaults.at("candidates"), 4);
  EXPECT_EQ(defaults.at("budget_share"), 0.03);
  EXPECT_EQ(defaults.at("every_epochs"), 5);
  fields.from_json(defaults);
  fields.from_json({{"reference", "raw"}, {"mix", 0.5}});
  EXPECT_EQ(config.reference, StyleReference::kRaw);
  EXPECT_EQ(config.decomposition_options.mix, 0.5);
}

}  // namespace
// Images of a model in bfloat16 are no images of the same model in float32.
TEST(RoundIdentity, CountsTheTypeInWhichTheModelComputes) {
  struct Open : TinyRounds {
    void reopen() {
      rounds("a").run(0);
      EXPECT_NO_THROW(rounds("a"));
      generator_.dtype = "bfloat16";
      EXPECT_THROW(rounds("a"), ConfigError);
    }
  } open;
  open.reopen();
}

TEST(RoundIdentity, CountsWhatIsDoneToThePixels) {
  struct Open : TinyRounds {
    void reopen() {
      rounds("a").run(0);
      const auto shrunk = std::make_shared<ShrunkDataset>(set_, 6);
      const CandidatePrompts prompts(config_.prompt_template, "", set_->class_names(), descriptions_, {});
      EXPECT_THROW(AugmentationRounds(config_, shrunk, set_->everything(), prompts, generator_, folder_ / "a", 4, 3),
                   ConfigError);
    }
  } open;
  open.reopen();
}

}  // namespace domainfusion
