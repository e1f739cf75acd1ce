#include "domainfusion/data/sets/known_datasets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "data/made_dataset.h"
#include "domainfusion/io/files/atomic_file.h"
#include "temporary_folder.h"

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

Names domain_words(const Names& domains, const Names& classes) {
  return PromptWords(domains, classes).domains(domains);
}

}  // namespace

TEST(KnownDatasets, EverySetIsCompleteAndSorted) {
  EXPECT_GE(known_datasets().size(), 6u);
  for (const KnownDataset& known : known_datasets()) {
    EXPECT_GE(known.domain_names.size(), 3u) << known.name;
    EXPECT_EQ(known.domain_names.size(), known.domain_descriptions.size()) << known.name;
    EXPECT_TRUE(std::is_sorted(known.domain_names.begin(), known.domain_names.end())) << known.name;
    EXPECT_TRUE(std::is_sorted(known.class_names.begin(), known.class_names.end())) << known.name;
    EXPECT_TRUE(known.class_names.empty() || std::ssize(known.class_names) == known.number_of_classes) << known.name;
    EXPECT_EQ(find_known_dataset(known.domain_names, known.class_names), &known);
    const std::set<std::string> descriptions(known.domain_descriptions.begin(), known.domain_descriptions.end());
    EXPECT_EQ(descriptions.size(), known.domain_names.size());
  }
}

TEST(KnownDatasets, DomainsThatAreStylesHaveNearSynonyms) {
  for (const char* name : {"PACS", "OfficeHome", "DomainNet", "Digits-DG", "demo"}) {
    const KnownDataset& known = known_dataset(name);
    for (const std::string& domain : known.domain_names) EXPECT_GE(known.near_of(domain).size(), 5u) << name << domain;
  }
  const Names near = known_dataset("PACS").near_of("Sketch");
  for (const char* word : {"pencil", "line art", "charcoal", "doodle"})
    EXPECT_NE(std::find(near.begin(), near.end(), word), near.end()) << word;
  EXPECT_TRUE(known_dataset("VLCS").near_of("SUN09").empty());
  EXPECT_TRUE(known_dataset("PACS").near_of("clay").empty());
}

TEST(KnownDatasets, NearSynonymsComeFromADescriptionFileFirst) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "words.json",
                        R"({"domains": [{"name": "sketch", "near": ["biro"]}, {"name": "clay", "near": ["putty"]}]})");
  const PromptWords words({"photo", "sketch"}, {"dog"}, folder / "words.json");
  EXPECT_EQ(words.near("sketch"), (Names{"biro"}));
  EXPECT_EQ(words.near("clay"), (Names{"putty"}));
  EXPECT_EQ(words.near("photo"), known_dataset("PACS").near_of("photo"));
}

TEST(KnownDatasets, CountsAgreeWithEachOther) {
  for (const KnownDataset& known : known_datasets()) {
    for (std::size_t d = 0; d < known.domain_names.size(); ++d) {
      const auto& of_class = known.images_of_class[d];
      if (of_class.empty()) continue;
      EXPECT_EQ(of_class.size(), known.class_names.size()) << known.name;
      EXPECT_EQ(std::accumulate(of_class.begin(), of_class.end(), std::int64_t{0}), known.images[d]) << known.name;
    }
  }
  const auto total = [](const char* name) {
    const auto& images = known_dataset(name).images;
    return std::accumulate(images.begin(), images.end(), std::int64_t{0});
  };
  EXPECT_EQ(total("PACS"), 9991);
  EXPECT_EQ(total("vlcs"), 10729);
  EXPECT_EQ(total("office-home"), 15588);
  EXPECT_EQ(total("TerraIncognita"), 24330);
  EXPECT_EQ(total("DomainNet"), 586575);
  EXPECT_EQ(known_dataset("DomainNet").class_names.size(), 345u);
  EXPECT_EQ(known_dataset("DomainNet").archives.at(0).file_name(), "clipart.zip");
  EXPECT_NE(message_of<ConfigError>([] { known_dataset("PACSS"); }).find("did you mean 'PACS'"), std::string::npos);
}

TEST(KnownDatasets, NoDomainOfASetSharesAWordWithAnotherThatAGuardWouldRefuse) {
  const KnownDataset& digits = known_dataset("digits_dg");
  for (const std::string& a : digits.domain_descriptions) {
    for (const std::string& b : digits.domain_descriptions) {
      if (&a == &b) continue;
      EXPECT_EQ(b.find(a.substr(0, a.find_first_of(", "))), std::string::npos);
    }
  }
}

TEST(KnownDatasets, DescriptionsComeFromTheSetThatDomainsAndClassesBelongTo) {
  EXPECT_EQ(domain_words({"art_painting", "cartoon", "photo"}, {"dog", "horse"}),
            (Names{"art painting", "cartoon, cartoonish", "photorealistic, extremely detailed"}));
  EXPECT_EQ(domain_words({"cartoon", "photo"}, {"apple", "tree"}), (Names{"cartoon", "photo"}));
  EXPECT_EQ(domain_words({"Real_World", "clipart"}, {"TV", "Mop"}),
            (Names{"real world, extremely detailed", "clipart, schematic, simplified"}));
}

TEST(KnownDatasets, DescriptionsAreFoundWhateverTheSpellingOfTheFolder) {
  const KnownDataset* office = find_known_dataset({"Real_World", "clipart"}, {});
  ASSERT_NE(office, nullptr);
  EXPECT_EQ(office->description_of("Real_World"), "real world, extremely detailed");
  EXPECT_EQ(office->description_of("my_own"), "my own");
}

TEST(KnownDatasets, OtherSetsGetTheWordsOfTheirNames) {
  EXPECT_EQ(domain_words({"my_own-domain", "photo"}, {"cat", "dog"}), (Names{"my own domain", "photo"}));
  EXPECT_EQ(find_known_dataset({"photo", "moon"}, {"dog"}), nullptr);
}

TEST(PromptWords, AFileHasTheFirstWordOfEachNameThatItHolds) {
  const TemporaryFolder folder;
  const auto file = folder.write("words.json", R"({"domains": [{"name": "clay", "description": "clay figure"}],
                                                   "classes": {"n02084071": "dog", "n02121808": "house cat"}})");
  const Names domains{"clay", "my_photo"}, classes{"n02084071", "n02121808", "sea_lion"};
  const PromptWords words(domains, classes, file);
  EXPECT_EQ(words.domains(domains), (Names{"clay figure", "my photo"}));
  EXPECT_EQ(words.classes(), (Names{"dog", "house cat", "sea lion"}));
  EXPECT_NO_THROW(check_descriptions(file, NamedDataset(domains, classes)));
}

TEST(PromptWords, AFileForAnotherSetAndABrokenFileAreErrorsThatNameIt) {
  const TemporaryFolder folder;
  const auto file = folder.write("words.json", R"({"domains": [{"name": "clays"}], "classes": {"cat": "house cat"}})");
  const NamedDataset clay({"clay", "photo"}, {"cat", "dog"}), other({"clays", "photo"}, {"cow", "dog"});
  EXPECT_NE(message_of<ConfigError>([&] { check_descriptions(file, clay); }).find("did you mean 'clay'"),
            std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] { check_descriptions(file, other); }).find("the class 'cat'"),
            std::string::npos);
  for (const char* text : {"", "{", "[1]", R"({"domains": 3})", R"({"classes": {"cat": 1}})"}) {
    const auto broken = folder.write("broken.json", text);
    EXPECT_NE(message_of<FormatError>([&] { read_dataset_description(broken); }).find("broken.json"), std::string::npos)
        << text;
  }
}

}  // namespace domainfusion
