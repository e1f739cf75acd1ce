#include "domainfusion/augmentation/prompts.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

const std::map<std::int64_t, std::string> kSources = {
    {0, "art painting"}, {2, "photorealistic"}, {3, "sketch drawing"}};

CandidatePrompts make(const TargetGuard& guard = {}, const std::string& prompt_template = "a {class}, {domain}",
                      const std::string& negative = "") {
  return CandidatePrompts(prompt_template, negative, {"dog", "alarm_clock"}, kSources, guard);
}

TargetGuard guard_of(const std::string& name, const std::string& description) {
  return TargetGuard(std::map<std::string, std::string>{{name, description}});
}

TEST(Prompts, templates_are_filled) {
  EXPECT_EQ(fill_prompt("a {class}, {domain}", "alarm_clock", "art painting"), "a alarm clock, art painting");
  EXPECT_EQ(fill_prompt("an image of a {class}", "T-shirt"), "an image of a T shirt");
  EXPECT_EQ(fill_prompt("{class}{class}", "a{domain}b"), "a{domain}ba{domain}b");
}

TEST(Prompts, broken_templates_are_config_errors) {
  for (const char* bad : {"", "a {klass}", "a {class", "a class}", "a {class} in {domain}", "{}"}) {
    EXPECT_THROW(fill_prompt(bad, "dog"), ConfigError) << bad;
  }
}

TEST(Prompts, other_source_domains_come_first_then_the_own_one_and_again) {
  EXPECT_EQ(make().prompts(0, 2, 4, {0, ""}),
            (std::vector<std::string>{"a dog, art painting", "a dog, sketch drawing", "a dog, photorealistic",
                                      "a dog, art painting"}));
  EXPECT_EQ(make().prompts(1, 0, 1, {0, ""}), (std::vector<std::string>{"a alarm clock, photorealistic"}));
  EXPECT_THROW(make().prompts(0, 1, 1, {0, ""}), ConfigError);
  EXPECT_THROW(make().prompts(2, 0, 1, {0, ""}), ConfigError);
}

CandidatePrompts styled(StyleMix mix, std::vector<std::string> styles = {"mosaic", "batik", "gouache", "neon"}) {
  return CandidatePrompts("a {class}, {domain}", "", {"dog", "alarm_clock"}, kSources, {}, std::move(styles), mix);
}

std::map<std::string, int> counts_of(const CandidatePrompts& prompts, std::int64_t candidates, std::uint64_t images) {
  std::map<std::string, int> counts;
  for (std::uint64_t image = 0; image < images; ++image) {
    const auto made = prompts.prompts(0, 2, candidates, {3, "styles", {image}});
    for (const std::string& prompt : made) ++counts[prompt];
  }
  return counts;
}

TEST(Prompts, without_styles_nothing_is_drawn) {
  EXPECT_EQ(make().prompts(0, 2, 4, {1, "a", {7}}), make().prompts(0, 2, 4, {2, "b"}));
  EXPECT_EQ(styled(StyleMix::kBoth, {}).prompts(0, 2, 4, {1, ""}), make().prompts(0, 2, 4, {0, ""}));
  EXPECT_EQ(make().all().size(), 6u);
}

TEST(Prompts, styles_are_drawn_without_replacement_and_about_equally) {
  const auto counts = counts_of(styled(StyleMix::kStyles), 3, 400);
  ASSERT_EQ(counts.size(), 4u);  // no source domain
  for (const auto& [prompt, count] : counts) EXPECT_NEAR(count, 300, 40) << prompt;
  for (std::uint64_t image = 0; image < 20; ++image) {
    const auto made = styled(StyleMix::kStyles).prompts(1, 0, 6, {3, "styles", {image}});
    EXPECT_EQ(std::set<std::string>(made.begin(), made.begin() + 4).size(), 4u);
    EXPECT_EQ(made[4], made[0]);  // and again from the start
  }
  EXPECT_EQ(styled(StyleMix::kStyles).all().size(), 2u * (3 + 4));
}

TEST(Prompts, styles_are_mixed_with_other_source_domains_before_the_own_one) {
  const auto counts = counts_of(styled(StyleMix::kBoth), 3, 400);
  EXPECT_EQ(counts.size(), 4u + 2);
  EXPECT_FALSE(counts.contains("a dog, photorealistic"));
  for (const auto& [prompt, count] : counts) EXPECT_NEAR(count, 200, 40) << prompt;
  EXPECT_EQ(styled(StyleMix::kBoth).prompts(0, 2, 7, {3, "styles"}).back(), "a dog, photorealistic");
}

// A set without published descriptions is given some that do for all of its targets.
TEST(TargetGuard, lets_every_domain_of_terra_incognita_be_held_out) {
  const KnownDataset& set = known_dataset("TerraIncognita");
  for (std::size_t target = 0; target < set.domain_names.size(); ++target) {
    const TargetGuard guard = guard_of(set.domain_names[target], set.domain_descriptions[target]);
    for (std::size_t source = 0; source < set.domain_names.size(); ++source) {
      if (source == target) continue;
      EXPECT_NO_THROW(guard.check_prompt("a bird, " + set.domain_descriptions[source], "prompt"));
    }
  }
}

TEST(Words, are_split_at_everything_that_is_not_a_letter_or_digit) {
  EXPECT_EQ(words_of("Real_World-2, (extremely) detailed!"),
            (std::vector<std::string>{"real", "world", "2", "extremely", "detailed"}));
  EXPECT_TRUE(words_of(" ,;_-").empty());
  EXPECT_THROW(words_of("\xff\xfe"), FormatError);
}

TEST(Words, are_case_folded_beyond_ascii) {
  EXPECT_EQ(words_of("ÉTUDE STRASSE straße ﬁlm"), (std::vector<std::string>{"étude", "strasse", "strasse", "film"}));
}

TEST(TargetGuard, refuses_whole_words_of_name_and_description_in_any_case) {
  const TargetGuard guard = guard_of("real_world", "Photos of the world, highly-detailed");
  EXPECT_EQ(guard.forbidden_words(), (std::set<std::string>{"real", "world", "photos", "highly", "detailed"}));
  EXPECT_NO_THROW(guard.check_prompt("a worldly unreal photo of the details", "prompt"));
  for (const char* bad : {"a REAL dog", "dog-World", "dog, photos", "(detailed)"}) {
    EXPECT_THROW(guard.check_prompt(bad, "prompt"), ConfigError) << bad;
  }
}

TEST(TargetGuard, names_the_word_and_the_prompt) {
  const TargetGuard guard = guard_of("sketch", "sketch drawing, black and white");
  const std::string message = message_of<ConfigError>([&] { make(guard); });
  EXPECT_NE(message.find("'sketch'"), std::string::npos) << message;
  EXPECT_NE(message.find("a dog, sketch drawing"), std::string::npos) << message;
}

TEST(TargetGuard, covers_negative_prompts_and_classes) {
  const std::string message =
      message_of<ConfigError>([&] { make(guard_of("cartoon", ""), "a {class}", "Cartoon, blurry"); });
  EXPECT_NE(message.find("negative prompt"), std::string::npos) << message;
  EXPECT_THROW(make(guard_of("clock", "")), ConfigError);
}

TEST(TargetGuard, function_words_are_allowed) {
  EXPECT_NO_THROW(make(guard_of("cartoon", "a cartoon of the kind with less and no detail")));
}

}  // namespace
}  // namespace domainfusion
