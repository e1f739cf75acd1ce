// FDS' images with a real, tiny latent diffusion model of random weights, and their choice.
#include "domainfusion/augmentation/fds/fds_images.h"

#include <gtest/gtest.h>

#include <cmath>

#include "augmentation/tiny_set.h"
#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "domainfusion/augmentation/fds/uncertainty.h"
#include "domainfusion/io/files/json_lines.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

class FdsImagesTest : public testing::Test {
 protected:
  FdsImagesTest() {
    config_.images_per_class = 3;
    config_.kept_per_class = 2;
    config_.steps = 2;
    config_.batch_images = 4;
    config_.settle({});
  }
  FdsImages images(const std::string& store = "store") {
    const CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt, set_->class_names(),
                                   {{0, "photo"}, {1, "painting"}, {2, "drawing"}}, {});
    return FdsImages(config_, set_, prompts, model_, CandidateStore(folder_ / store));
  }
  std::map<std::string, nlohmann::json> entries(const std::string& store) {
    std::map<std::string, nlohmann::json> lines;
    for_each_provenance(folder_ / store,
                        [&](const nlohmann::json& line) { lines[line.at("file").get<std::string>()] = line; });
    return lines;
  }
  // Calls class 1 what is brighter than ImageNet's mean, the more surely the brighter it is.
  FdsJudge judge() {
    return {[](const at::Tensor& image_NCHW) {
              const at::Tensor light = image_NCHW.mean({1, 2, 3});
              return at::stack({-light, light}, 1);
            },
            12, at::kCPU};
  }

  FdsConfig config_;
  std::shared_ptr<const DomainDataset> set_ =
      std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}, {1, 1}, {1, 1}});
  LatentDiffusion model_ = LatentDiffusion::load(kTinySd15);
  TemporaryFolder folder_;
};

}  // namespace

TEST_F(FdsImagesTest, StandBetweenEveryTwoDomainsOfEachClass) {
  const FdsImages all = images();
  ASSERT_EQ(all.size(), 3 * 2 * 3);
  EXPECT_EQ(all.pair_name(0), "domain0 + domain1");
  EXPECT_EQ(all.pair_name(2), "domain1 + domain2");
  const FdsImage last = all.image(17);
  EXPECT_EQ(last.first, 1);
  EXPECT_EQ(last.second, 2);
  EXPECT_EQ(last.label, 1);
  EXPECT_EQ(last.number, 2);
  std::set<std::string> keys;
  for (std::int64_t place = 0; place < all.size(); ++place) keys.insert(all.key(place));
  EXPECT_EQ(keys.size(), 18u);
  all.write_list(folder_ / "list.jsonl");
  const auto lines = read_json_lines(folder_ / "list.jsonl");
  ASSERT_EQ(lines.size(), 18u);
  EXPECT_EQ(lines[17].at("pair"), "domain1 + domain2");
  EXPECT_EQ(lines[17].at("class"), "class1");
}

TEST_F(FdsImagesTest, EachDrawsItsShareAndItsGuidanceWithinTheirBounds) {
  ASSERT_EQ(images().generate(images().all_places())->made, 18);
  std::set<double> shares, scales;
  for (const auto& [file, line] : entries("store")) {
    const double share = line.at("share"), scale = line.at("guidance_scale");
    EXPECT_GE(share, 0.3);
    EXPECT_LT(share, 0.7);
    EXPECT_GE(scale, 4);
    EXPECT_LT(scale, 6);
    shares.insert(share);
    scales.insert(scale);
  }
  EXPECT_EQ(shares.size(), 18u);
  EXPECT_EQ(scales.size(), 18u);
}

TEST_F(FdsImagesTest, DependNeitherOnTheBatchNorOnHowManyThereAre) {
  images("four").generate(images("four").all_places());
  config_.batch_images = 1;
  config_.images_per_class = 2;
  FdsImages fewer = images("one");
  fewer.generate(fewer.all_places());
  const auto of_four = entries("four"), of_one = entries("one");
  ASSERT_EQ(of_one.size(), 12u);
  const CandidateStore four(folder_ / "four"), one(folder_ / "one");
  for (const auto& [file, line] : of_one) {
    ASSERT_TRUE(of_four.contains(file));
    EXPECT_EQ(of_four.at(file).at("share"), line.at("share"));
    const std::string key = file.substr(0, file.find('.'));
    const Image a = four.image(key), b = one.image(key);
    for (std::size_t i = 0; i < a.rgb.size(); ++i) EXPECT_NEAR(a.rgb[i], b.rgb[i], 1);
  }
}

TEST_F(FdsImagesTest, AKilledGenerationGoesOnAndOthersFindWhatIsThere) {
  config_.batch_images = 3;
  int asked = 0;
  FdsImages first = images();
  EXPECT_FALSE(first.generate(first.all_places(), [&] { return ++asked > 2; }));
  EXPECT_EQ(entries("store").size(), 6u);
  FdsImages second = images();
  EXPECT_EQ(second.missing(), 12);
  EXPECT_EQ(second.generate(second.all_places())->made, 12);
  EXPECT_EQ(images().missing(), 0);
  config_.seed = 1;
  EXPECT_EQ(images().missing(), 18);
  config_.seed = 0;
  config_.sampler = MixtureSampler::kTrajectories;
  EXPECT_EQ(images().missing(), 18);
}

TEST_F(FdsImagesTest, ThoseChosenAreRightAndTheLeastSureOfTheirClassAndPair) {
  FdsImages all = images();
  all.generate(all.all_places());
  const FdsChoice choice = all.choose(judge());
  // The same once more, image by image.
  const auto set = all.with_environments(all.all_places());
  ASSERT_EQ(set->number_of_domains(), 6);
  std::vector<std::int64_t> expected;
  std::int64_t right = 0;
  for (std::int64_t pair = 0; pair < 3; ++pair) {
    for (std::int64_t label = 0; label < 2; ++label) {
      std::vector<std::pair<double, std::int64_t>> of_group;  // minus entropy, place
      for (std::int64_t number = 0; number < 3; ++number) {
        const std::int64_t index = 3 * label + number, place = 6 * pair + index;
        EXPECT_EQ(set->info(3 + pair, index).label, label);
        EXPECT_EQ(set->info(3 + pair, index).domain, 3 + pair);
        const std::vector<std::int64_t> one{index};
        const double light = evaluation_batch(*set, 3 + pair, one, 12).image_NCHW.mean().item<double>();
        const double p = 1 / (1 + std::exp(-2 * light));
        if ((light > 0) != (label == 1)) continue;
        ++right;
        of_group.emplace_back(p * std::log(p) + (1 - p) * std::log(1 - p), place);
      }
      std::sort(of_group.begin(), of_group.end());
      of_group.resize(std::min<std::size_t>(of_group.size(), 2));
      for (const auto& [entropy, place] : of_group) expected.push_back(place);
    }
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(choice.kept, expected);
  std::int64_t counted = 0, kept = 0;
  for (const FdsVerdict& verdict : choice.pairs) {
    counted += verdict.right;
    kept += verdict.kept;
    EXPECT_EQ(verdict.images, 6);
    EXPECT_GE(verdict.entropy_of_kept, verdict.kept > 0 ? verdict.entropy_of_right - 1e-9 : 0);
  }
  EXPECT_EQ(counted, right);
  EXPECT_EQ(kept, std::ssize(expected));
  const auto chosen = all.with_environments(choice.kept);
  EXPECT_EQ(chosen->size(3) + chosen->size(4) + chosen->size(5), std::ssize(expected));
  EXPECT_EQ(chosen->size(0), set_->size(0));
}

TEST_F(FdsImagesTest, AJudgeThatIsNeverRightLeavesNothingToTrainOn) {
  FdsImages all = images();
  all.generate(all.all_places());
  FdsJudge never = judge();
  never.logits = [](const at::Tensor& image_NCHW) {  // a third class, which there is not
    return at::tensor({0.0, 0.0, 1.0}).repeat({image_NCHW.size(0), 1});
  };
  EXPECT_THROW(all.choose(never), ConfigError);
}

TEST_F(FdsImagesTest, WhatCannotWorkIsRefused) {
  config_.prompt_template = "a {class}";
  EXPECT_THROW(images(), ConfigError);
  config_.prompt_template = "{domain}, {class}";
  config_.kept_per_class = 4;
  EXPECT_THROW(images(), ConfigError);
  config_.kept_per_class = 2;
  config_.share_min = 0.8;
  EXPECT_THROW(images(), ConfigError);
  config_.share_min = 0.3;
  config_.guidance_min = 7;
  EXPECT_THROW(images(), ConfigError);
  config_.guidance_min = 4;
  config_.sampler = MixtureSampler::kTrajectories;
  config_.apart = 0.1;
  EXPECT_THROW(images(), ConfigError);
  config_.apart = 0.5;
  EXPECT_NO_THROW(images());
  set_ = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}});
  EXPECT_THROW(images(), ConfigError);
}

TEST(FdsConfig, TakesTheNumbersOfAModelOfFewStepsWhereNobodyNamesThem) {
  FdsConfig config;
  config.steps = 7;
  config.settle({.few_step = true, .reason = "", .steps = 2, .guidance_scale = 1});
  EXPECT_EQ(config.steps, 7);
  EXPECT_EQ(config.guidance_max, 1);
  EXPECT_FALSE(config.is_guided());
  FdsConfig paper;
  paper.settle({});
  EXPECT_EQ(paper.steps, 50);
  EXPECT_EQ(paper.guidance_min, 4);
  EXPECT_EQ(paper.guidance_max, 6);
  EXPECT_EQ(paper.scheduler, "ddim");
}

TEST(Uncertainty, EntropyIsThatOfTheAnswer) {
  const at::Tensor entropy = answer_entropy(at::tensor({0.0f, 0.0f, 0.0f, 2.0f, -1.0f, 0.5f}).reshape({2, 3}));
  EXPECT_NEAR(entropy[0].item<double>(), std::log(3.0), 1e-12);
  const double sum = std::exp(2.0) + std::exp(-1.0) + std::exp(0.5);
  double expected = 0;
  for (const double logit : {2.0, -1.0, 0.5}) expected -= std::exp(logit) / sum * std::log(std::exp(logit) / sum);
  EXPECT_NEAR(entropy[1].item<double>(), expected, 1e-12);
}

TEST(Uncertainty, TakesTheRightAndLeastSureInTheirOrder) {
  const std::vector<JudgedImage> images{{true, 0.1}, {false, 0.9}, {true, 0.5}, {true, 0.1}, {true, 0.7}};
  EXPECT_EQ(most_uncertain(images, 2), (std::vector<std::size_t>{2, 4}));
  EXPECT_EQ(most_uncertain(images, 3), (std::vector<std::size_t>{0, 2, 4}));  // the earlier of two equal ones
  EXPECT_EQ(most_uncertain(images, 9), (std::vector<std::size_t>{0, 2, 3, 4}));
}

}  // namespace domainfusion
