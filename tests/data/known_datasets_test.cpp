#include "domainfusion/data/known_datasets.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/made_dataset.h"

namespace domainfusion {
namespace {

using Names = std::vector<std::string>;

// A set with given names and no images.
class NamedDataset final : public DomainDataset {
 public:
  NamedDataset(Names domains, Names classes) : domains_(std::move(domains)), classes_(std::move(classes)) {}
  const Names& class_names() const override { return classes_; }
  const Names& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t) const override { return 0; }
  const SampleInfo& info(std::int64_t, std::int64_t) const override { return info_; }
  Image image(std::int64_t, std::int64_t) const override { return {}; }

 private:
  Names domains_, classes_;
  SampleInfo info_;
};

}  // namespace

TEST(KnownDatasets, EverySetIsCompleteAndSorted) {
  EXPECT_GE(known_datasets().size(), 6u);
  for (const KnownDataset& known : known_datasets()) {
    EXPECT_GE(known.domain_names.size(), 4u) << known.name;
    EXPECT_EQ(known.domain_names.size(), known.domain_descriptions.size()) << known.name;
    EXPECT_TRUE(std::is_sorted(known.domain_names.begin(), known.domain_names.end())) << known.name;
    EXPECT_TRUE(std::is_sorted(known.class_names.begin(), known.class_names.end())) << known.name;
    EXPECT_TRUE(known.class_names.empty() || std::ssize(known.class_names) == known.number_of_classes) << known.name;
    EXPECT_EQ(find_known_dataset(known.domain_names, known.class_names), &known);
  }
}

TEST(KnownDatasets, DescriptionsComeFromTheSetThatDomainsAndClassesBelongTo) {
  EXPECT_EQ(domain_descriptions(NamedDataset({"art_painting", "cartoon", "photo"}, {"dog", "horse"})),
            (Names{"art painting", "cartoon, cartoonish", "photorealistic, extremely detailed"}));
  EXPECT_EQ(domain_descriptions(NamedDataset({"cartoon", "photo"}, {"apple", "tree"})), (Names{"cartoon", "photo"}));
  EXPECT_EQ(domain_descriptions(NamedDataset({"Real_World", "clipart"}, {"TV", "Mop"})),
            (Names{"real world, extremely detailed", "clipart, schematic, simplified"}));
}

TEST(KnownDatasets, DescriptionsAreFoundWhateverTheSpellingOfTheFolder) {
  const KnownDataset* office = find_known_dataset({"Real_World", "clipart"}, {});
  ASSERT_NE(office, nullptr);
  EXPECT_EQ(office->description_of("Real_World"), "real world, extremely detailed");
  EXPECT_EQ(office->description_of("my_own"), "my own");
}

TEST(KnownDatasets, OtherSetsGetTheWordsOfTheirNames) {
  EXPECT_EQ(domain_descriptions(NamedDataset({"my_own-domain", "photo"}, {"cat", "dog"})),
            (Names{"my own domain", "photo"}));
  EXPECT_EQ(find_known_dataset({"photo", "moon"}, {"dog"}), nullptr);
}

}  // namespace domainfusion
