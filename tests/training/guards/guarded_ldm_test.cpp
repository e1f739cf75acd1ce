#include "domainfusion/training/guards/guarded_ldm.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// Names without images.
class NamedSet final : public DomainDataset {
 public:
  NamedSet(std::vector<std::string> domains, std::vector<std::string> classes)
      : domains_(std::move(domains)), classes_(std::move(classes)) {}
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t) const override { return 0; }
  const SampleInfo& info(std::int64_t, std::int64_t) const override { throw Error("no image is asked for"); }
  Image image(std::int64_t, std::int64_t) const override { throw Error("no image is asked for"); }

 private:
  std::vector<std::string> domains_, classes_;
};

// What a run with `target` held out calls its sources; its prompts are checked by its guard.
SourceDescriptions checked_descriptions(const KnownDataset& set, std::size_t target) {
  const auto all = std::make_shared<NamedSet>(set.domain_names, set.class_names);
  std::vector<std::string> sources = set.domain_names;
  sources.erase(sources.begin() + static_cast<std::ptrdiff_t>(target));
  const NamedSet source_in(sources, set.class_names);
  const HoldoutGuard holdout(all, {static_cast<std::int64_t>(target)}, {});
  SourceDescriptions descriptions = source_descriptions(source_in, holdout, {});
  CandidatePrompts("a {class}, {domain}", "", prompt_words(source_in, sources, {}).classes(), descriptions.of_domain,
                   target_guard(source_in, holdout, {}));
  return descriptions;
}

}  // namespace

// With the default prompts every domain of every shipped set can be the target.
TEST(SourceDescriptions, LeaveNoWordOfAnyTargetOfAKnownSet) {
  for (const KnownDataset& set : known_datasets()) {
    for (std::size_t target = 0; target < set.domain_names.size(); ++target)
      EXPECT_NO_THROW(checked_descriptions(set, target)) << set.name << " without " << set.domain_names[target];
  }
}

TEST(SourceDescriptions, GiveWayToTheNameOnlyWhereTheyShareAWord) {
  const KnownDataset& set = known_dataset("DomainNet");  // "extremely simple drawing, black and white" is held out
  const SourceDescriptions sources = checked_descriptions(set, 3);
  EXPECT_EQ(sources.bare, (std::vector<std::string>{"clipart", "real", "sketch"}));
  EXPECT_EQ(sources.of_domain.at(0), "clipart");
  EXPECT_EQ(sources.of_domain.at(2), "art painting");
  EXPECT_EQ(sources.of_domain.at(4), "sketch");
  EXPECT_TRUE(checked_descriptions(known_dataset("PACS"), 3).bare.empty());
}

// A name that shares a word too cannot stand in: the guard of the prompts says which word it is.
TEST(SourceDescriptions, KeepWhatNoNameCanReplace) {
  const auto all = std::make_shared<NamedSet>(std::vector<std::string>{"ink_drawing", "pencil_drawing"},
                                              std::vector<std::string>{"cat", "cup"});
  const NamedSet source_in({"ink_drawing"}, {"cat", "cup"});
  const HoldoutGuard holdout(all, {1}, {});
  EXPECT_TRUE(source_descriptions(source_in, holdout, {}).bare.empty());
  EXPECT_THROW(
      CandidatePrompts("a {class}, {domain}", "", {"cat", "cup"}, source_descriptions(source_in, holdout, {}).of_domain,
                       target_guard(source_in, holdout, {})),
      ConfigError);
}

}  // namespace domainfusion
