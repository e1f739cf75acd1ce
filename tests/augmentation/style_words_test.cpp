#include "domainfusion/augmentation/style_words.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/io/files/atomic_file.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

// The guard of a run on a known set.
TargetGuard guard_without(const std::string& set, const std::string& target) {
  const KnownDataset& known = known_dataset(set);
  return TargetGuard(std::map<std::string, std::string>{{target, known.description_of(target)}},
                     {{target, known.near_of(target)}});
}

StyleWords words_for(const std::vector<std::string>& styles, const TargetGuard& guard = {},
                     NearStyles near = NearStyles::kRefuse, const std::vector<std::string>& taken = {},
                     const std::string& prompt = "a {class}, {domain}") {
  return style_words({styles, near}, "augmentation", prompt, guard, taken);
}

std::string refusal(const std::string& style, const TargetGuard& guard, NearStyles near = NearStyles::kRefuse) {
  try {
    words_for({style}, guard, near);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(StyleWords, NearSynonymsAreRefusedByNameOfWordDomainAndOption) {
  const TargetGuard guard = guard_without("PACS", "sketch");
  const std::string message = refusal("soft pencil", guard);
  for (const char* part : {"soft pencil", "'pencil'", "'sketch'", "augmentation.styles", "augmentation.near_styles"})
    EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
  EXPECT_EQ(words_for({"stained glass", "mosaic"}, guard).used, (std::vector<std::string>{"stained glass", "mosaic"}));
}

TEST(StyleWords, NearSynonymsAreFoundInPluralAndAsPhrases) {
  const TargetGuard guard = guard_without("PACS", "sketch");
  for (const char* style : {"Pencils", "clean line-art", "stick figures", "SKETCHES", "chalks on slate"})
    EXPECT_NE(refusal(style, guard), "") << style;
  for (const char* style : {"penguin feathers", "walking stick and wax figure", "glass painting"})
    EXPECT_EQ(refusal(style, guard), "") << style;
}

TEST(StyleWords, AnOptionAllowsNearSynonymsButNotTheTargetsOwnWords) {
  const TargetGuard guard = guard_without("PACS", "sketch");
  const StyleWords words = words_for({"soft pencil"}, guard, NearStyles::kAllow);
  EXPECT_EQ(words.used, (std::vector<std::string>{"soft pencil"}));
  EXPECT_EQ(words.record().at("near_styles"), "allow");
  EXPECT_NE(words.text().find("allowed"), std::string::npos);
  const std::string message = refusal("quick sketches", guard, NearStyles::kAllow);
  EXPECT_NE(message.find("'sketches' names the held-out domain"), std::string::npos) << message;
  EXPECT_EQ(message.find("near_styles"), std::string::npos) << message;
}

TEST(StyleWords, ATargetOfWhichNoNearSynonymIsKnownIsNamed) {
  const StyleWords words = words_for({"mosaic"}, TargetGuard({{"x-ray", ""}}, {{"x-ray", {}}}));
  EXPECT_EQ(words.record().at("targets_without_near"), nlohmann::json::array({"x-ray"}));
  EXPECT_NE(words.text().find("no near synonyms of 'x-ray' are known"), std::string::npos) << words.text();
  EXPECT_EQ(words_for({"mosaic"}, guard_without("PACS", "sketch")).text().find("no near"), std::string::npos);
}

TEST(StyleWords, OfListsWhatTheGuardRefusesIsLeftOutAndSaid) {
  const TargetGuard guard = guard_without("PACS", "sketch");
  const StyleWords words = words_for({"stock", "mosaic"}, guard);
  EXPECT_EQ(words.used.size() + words.left_out.size(), stock_styles().size());
  EXPECT_GT(words.used.size(), 30u);
  for (const std::string& style : words.used) EXPECT_TRUE(guard.allows(style) && !guard.refusal_of_style(style, false));
  const auto record = words.record();
  EXPECT_EQ(record.at("type"), "styles");
  EXPECT_EQ(record.at("used").size(), words.used.size());
  EXPECT_NE(record.at("left_out").dump().find(R"({"reason":"'engraving' is near the held-out domain 'sketch'")"),
            std::string::npos)
      << record;
  EXPECT_NE(words.text().find("left out: woodcut ('woodcut' is near the held-out domain 'sketch')"), std::string::npos);
}

TEST(StyleWords, AFileHoldsAStyleALine) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "styles.txt", "# mine\n\n  oil on wood \r\npencil\nbatik");
  const std::string entry = "@" + (folder / "styles.txt").string();
  const StyleWords words = words_for({entry}, guard_without("PACS", "sketch"));
  EXPECT_EQ(words.used, (std::vector<std::string>{"oil on wood", "batik"}));
  ASSERT_EQ(words.left_out.size(), 1u);
  EXPECT_EQ(words.left_out[0].style, "pencil");
  EXPECT_THROW(words_for({"@" + (folder / "none.txt").string()}), IoError);
}

TEST(StyleWords, OneStyleStandsOnce) {
  EXPECT_EQ(words_for({"Oil painting", "oil-painting", "mosaic"}).used,
            (std::vector<std::string>{"Oil painting", "mosaic"}));
  const StyleWords words = words_for({"Art painting", "mosaic"}, {}, NearStyles::kRefuse, {"art painting"});
  EXPECT_EQ(words.used, (std::vector<std::string>{"mosaic"}));
  EXPECT_EQ(words.left_out.at(0).style, "Art painting");
}

TEST(StyleWords, WithoutStylesNothingIsAskedOfThePrompt) {
  EXPECT_TRUE(words_for({}, {}, NearStyles::kRefuse, {}, "a {class}").used.empty());
  EXPECT_NE(message_of<ConfigError>([] {
              words_for({"mosaic"}, {}, NearStyles::kRefuse, {}, "a {class}");
            }).find("augmentation.prompt_template"),
            std::string::npos);
  EXPECT_THROW(words_for({" ,;"}), ConfigError);
  EXPECT_NE(message_of<ConfigError>([] {
              words_for({"mosaic"}, {}, NearStyles::kRefuse, {"mosaic"});
            }).find("no style is left"),
            std::string::npos);
}

TEST(StyleWords, TheStockListSuitsEveryTargetOfTheKnownSets) {
  EXPECT_GE(stock_styles().size(), 40u);
  for (const KnownDataset& known : known_datasets()) {
    for (const std::string& target : known.domain_names)
      EXPECT_GE(words_for({"stock"}, guard_without(known.name, target)).used.size(), 25u) << known.name << target;
  }
}

}  // namespace domainfusion
