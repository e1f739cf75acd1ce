// CDGA's images with a real, tiny latent diffusion model of random weights.
#include "domainfusion/augmentation/cdga/cdga_images.h"

#include <gtest/gtest.h>

#include "augmentation/tiny_set.h"
#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/json_lines.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

class CdgaImagesTest : public testing::Test {
 protected:
  CdgaImagesTest() {
    config_.steps = 2;
    config_.batch_images = 2;
  }
  CdgaImages images(const std::string& store = "store",
                    std::map<std::int64_t, std::string> destinations = kDescriptions) {
    const CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt, set_->class_names(), destinations,
                                   {});
    return CdgaImages(config_, set_, destinations, prompts, models_, CandidateStore(folder_ / store));
  }
  // Names and bytes of all files of a store.
  std::map<std::string, std::string> content(const std::string& store) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / store)) {
      if (entry.is_regular_file()) files[entry.path().filename()] = read_file(entry.path());
    }
    return files;
  }

  inline static const std::map<std::int64_t, std::string> kDescriptions{{0, "photo"}, {1, "painting"}, {2, "drawing"}};
  CdgaConfig config_;
  std::shared_ptr<const DomainDataset> set_ =
      std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}, {1, 1}, {1, 0}});
  LatentDiffusion model_ = LatentDiffusion::load(kTinySd15);
  CdgaModels models_{model_};
  TemporaryFolder folder_;
};

}  // namespace

TEST_F(CdgaImagesTest, EveryImageGoesToEveryOtherDomainAsOftenAsAskedFor) {
  EXPECT_EQ(images().images().size(), 6u * 2);
  config_.copies = 3;
  EXPECT_EQ(images().images().size(), 6u * 2 * 3);
  config_.self_pairs = true;
  EXPECT_EQ(images().images().size(), 6u * 3 * 3);
  config_ = {};
  EXPECT_EQ(images("store", {{1, "painting"}}).images().size(), 4u);
}

TEST_F(CdgaImagesTest, StylesAreFurtherDestinationsOfEveryImage) {
  auto destinations = kDescriptions;
  destinations[3] = "stained glass";
  destinations[4] = "mosaic";
  const CdgaImages plain = images();
  CdgaImages styled = images("store", destinations);
  ASSERT_EQ(styled.images().size(), 6u * 2 + 6 * 2);
  std::set<std::string> keys;
  for (const CdgaImage& image : styled.images()) keys.insert(image.key);
  EXPECT_EQ(keys.size(), 24u);
  for (const CdgaImage& image : plain.images()) EXPECT_TRUE(keys.contains(image.key));
  EXPECT_EQ(styled.name_of(0), "domain0");
  EXPECT_EQ(styled.name_of(3), "stained glass");
  EXPECT_EQ(styled.generate()->made, 24);
  const auto set = styled.dataset();
  EXPECT_EQ(set->size(0), 3 * 4);
  EXPECT_EQ(set->info(0, 2).path, "domain0/class0/0.jpg.style-stained-glass.0.png");
  styled.write_list(folder_ / "list.jsonl");
  EXPECT_EQ(read_json_lines(folder_ / "list.jsonl")[2].at("towards"), "stained glass");
  set_ = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2}});
  EXPECT_EQ(images("store", {{0, "photo"}, {1, "mosaic"}}).images().size(), 2u);  // one domain is enough with styles
}

TEST_F(CdgaImagesTest, ADomainsOwnModelTranslatesToItAlone) {
  CdgaImages shared = images("shared");
  shared.generate();
  models_.of_destination.emplace(1, LatentDiffusion::load(kTinySd21));
  CdgaImages own = images("own");
  EXPECT_EQ(own.generate()->made, 12);
  std::size_t towards_one = 0;
  for (std::size_t i = 0; i < own.images().size(); ++i) {
    const CdgaImage &a = shared.images()[i], &b = own.images()[i];
    ASSERT_EQ(a.destination, b.destination);
    const bool translated_by_own = b.destination == 1;
    towards_one += translated_by_own;
    EXPECT_EQ(a.key == b.key, !translated_by_own);
    EXPECT_EQ(shared.store().image(a.key) == own.store().image(b.key), !translated_by_own);
  }
  EXPECT_EQ(towards_one, 4u);
}

TEST_F(CdgaImagesTest, AnImageKeepsItsParentsDomainAndLabelAndIsMadeOnce) {
  CdgaImages first = images();
  const CdgaReport report = *first.generate();
  EXPECT_EQ(report.images, 12);
  EXPECT_EQ(report.made, 12);
  const auto set = first.dataset();
  for (std::int64_t domain = 0; domain < 3; ++domain) {
    EXPECT_EQ(set->size(domain), 2 * set_->size(domain));
    for (std::int64_t i = 0; i < set->size(domain); ++i) {
      EXPECT_EQ(set->info(domain, i).label, set_->info(domain, i / 2).label);
      EXPECT_EQ(set->info(domain, i).domain, domain);
      EXPECT_EQ(set->image(domain, i).height, model_.image_size_px());
    }
  }
  EXPECT_EQ(images().missing(), 0);
  EXPECT_EQ(images().generate()->made, 0);
}

TEST_F(CdgaImagesTest, ProvenanceHoldsThePromptOfTheOtherDomain) {
  images().generate();
  std::multiset<std::string> prompts;
  for_each_provenance(folder_ / "store", [&](const nlohmann::json& line) {
    EXPECT_EQ(line.at("key").at("options").at("strength"), 0.75);
    prompts.insert(line.at("key").at("prompt").get<std::string>());
  });
  EXPECT_EQ(prompts.size(), 12u);
  EXPECT_EQ(prompts.count("a class0, photo"), 2u);     // of the two images of class 0 in the other domains
  EXPECT_EQ(prompts.count("a class1, painting"), 1u);  // of the one of domain 0
}

TEST_F(CdgaImagesTest, AStoppedGenerationGoesOnToTheBytesOfAnUninterruptedOne) {
  images("whole").generate();
  int asked = 0;
  EXPECT_FALSE(images("stopped").generate([&] { return ++asked == 3; }));
  const auto rest = images("stopped").generate();
  EXPECT_EQ(rest->made, 12 - 2 * 2);
  EXPECT_EQ(content("stopped"), content("whole"));
}

TEST_F(CdgaImagesTest, OtherBatchesAndTheLackOfADomainChangeNoImage) {
  images().generate();
  const auto whole = content("store");
  config_.batch_images = 5;
  // Without domain 0, as if it were held out: its images are gone, indices of domains are others.
  set_ = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}, {1, 1}});
  EXPECT_EQ(images("store", {{0, "photo"}, {1, "painting"}}).missing(), 0);
  images("other", {{0, "photo"}, {1, "painting"}}).generate();
  for (const auto& [name, bytes] : content("other")) EXPECT_TRUE(whole.at(name) == bytes) << name;
}

TEST_F(CdgaImagesTest, AChangedOptionMakesOtherImages) {
  images().generate();
  const auto all_missing = [&](auto change) {
    const CdgaConfig before = config_;
    change(config_);
    const std::int64_t missing = images().missing();
    config_ = before;
    return missing == 12;
  };
  EXPECT_TRUE(all_missing([](CdgaConfig& c) { c.strength = 0.5; }));
  EXPECT_TRUE(all_missing([](CdgaConfig& c) { c.guidance_scale = 2; }));
  EXPECT_TRUE(all_missing([](CdgaConfig& c) { c.steps = 3; }));
  EXPECT_TRUE(all_missing([](CdgaConfig& c) { c.scheduler = "euler"; }));
  EXPECT_TRUE(all_missing([](CdgaConfig& c) { c.negative_prompt = "noise"; }));
  EXPECT_TRUE(all_missing([](CdgaConfig& c) { c.prompt_template = "one {class}, {domain}"; }));
  EXPECT_TRUE(all_missing([](CdgaConfig& c) { c.seed = 1; }));
  EXPECT_FALSE(all_missing([](CdgaConfig& c) { c.batch_images = 1; }));
}

TEST_F(CdgaImagesTest, ATornImageIsMadeAgain) {
  CdgaImages made = images();
  made.generate();
  const auto whole = content("store");
  std::filesystem::resize_file(made.store().path(made.images()[4].key, ".png"), 20);
  EXPECT_EQ(images().missing(), 1);
  EXPECT_EQ(images().generate()->made, 1);
  EXPECT_EQ(content("store"), whole);
}

TEST_F(CdgaImagesTest, TheListNamesEveryImage) {
  const CdgaImages made = images();
  made.write_list(folder_ / "list.jsonl");
  const auto lines = read_json_lines(folder_ / "list.jsonl");
  ASSERT_EQ(lines.size(), 12u);
  EXPECT_EQ(lines[0].at("parent"), "domain0/class0/0.jpg");
  EXPECT_EQ(lines[0].at("towards"), "domain1");
  EXPECT_EQ(lines[0].at("key"), made.images()[0].key);
}

TEST_F(CdgaImagesTest, OptionsThatCannotWorkAreConfigErrors) {
  config_.scheduler = "dddim";
  EXPECT_THROW(images(), ConfigError);
  config_.scheduler = "auto";
  config_.strength = 0.01;
  EXPECT_THROW(images(), ConfigError);
  config_.strength = 0.75;
  set_ = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2}});
  EXPECT_NE(message_of<ConfigError>([&] { images("store", {{0, "photo"}}); }).find("self_pairs"), std::string::npos);
}

}  // namespace domainfusion
