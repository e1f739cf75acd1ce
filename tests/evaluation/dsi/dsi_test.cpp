#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/evaluation/dsi/dsi_answers.h"
#include "domainfusion/evaluation/dsi/dsi_run.h"
#include "domainfusion/evaluation/dsi/dsi_translator.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/training/records/stop_signal.h"
#include "evaluation/tables/made_run_folder.h"
#include "tiny_models.h"
#include "training/toy_dataset.h"

namespace domainfusion {
namespace {

const std::vector<std::string> kDomains{"art", "photo"};
constexpr DsiSubset kAll = 0b111;

// Logits of two classes with the given difference: the probability of class 1 is sigmoid(difference).
at::Tensor binary(std::vector<float> differences) {
  const at::Tensor d = torch::tensor(differences);
  return torch::stack({torch::zeros_like(d), d}, 1);
}

// The rule for one image, in loops and doubles.
struct Emulated {
  std::int64_t predicted, accepted_at;
};
Emulated emulate(const std::vector<double>& clean, const std::vector<std::vector<std::vector<double>>>& translated_TD,
                 DsiSubset subset, double threshold) {
  const auto best = [](const std::vector<double>& logits) {
    return std::max_element(logits.begin(), logits.end()) - logits.begin();
  };
  const auto confidence = [](const std::vector<double>& logits) {
    double sum = 0, top = *std::max_element(logits.begin(), logits.end());
    for (const double logit : logits) sum += std::exp(logit - top);
    return 1 / sum;
  };
  if (confidence(clean) > threshold) return {best(clean), 0};
  for (std::size_t t = 0; t < translated_TD.size(); ++t) {
    std::vector<double> mean(clean.size(), 0);
    int members = 0;
    for (std::size_t m = 0; m <= translated_TD[t].size(); ++m) {
      if (!(subset >> m & 1)) continue;
      ++members;
      for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += m == 0 ? clean[k] : translated_TD[t][m - 1][k];
    }
    for (double& value : mean) value /= members;
    if (confidence(mean) > threshold) return {best(mean), static_cast<std::int64_t>(t) + 1};
  }
  return {best(clean), -1};
}

std::vector<double> doubles(const at::Tensor& row) {
  const at::Tensor values = row.to(torch::kFloat64).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

DsiConfig toy_config(std::int64_t batch) {
  DsiConfig config;
  config.steps = 4;
  config.start_steps = {1, 3};
  config.image_size_px = 32;
  config.batch_size = batch;
  return config;
}

const std::vector<std::int64_t> kFive{7, 2, 11, 3, 0};

std::vector<std::optional<Image>> translated(const DsiConfig& config, const std::filesystem::path& store) {
  return DsiTranslator(LatentDiffusion::open(kTinySd15), config, store).translate(ToyDataset(), 1, kFive, 3);
}

}  // namespace

TEST(Dsi, TheImagesOwnAnswerComesFirstThenTheEarliestStartThatIsSure) {
  // Images: sure at once; sure from the second start on, against its own answer; never sure.
  DsiLogits logits{binary({5, 0.5, 0.2}), torch::zeros({2, 1, 3, 2})};
  logits.translated_TDNK[0][0] = binary({-9, 0.1, 0.3});
  logits.translated_TDNK[1][0] = binary({-9, -9, 0.3});
  const DsiAnswers answers = dsi_answers(logits, 0b11, 0.9, 2);
  EXPECT_TRUE(answers.accepted_at_N.equal(torch::tensor({0, 2, -1})));
  EXPECT_TRUE(answers.predicted_N.equal(torch::tensor({1, 0, 1})));
  EXPECT_TRUE(dsi_answers(logits, 0b11, 0.9, 1).accepted_at_N.equal(torch::tensor({0, -1, -1})));
}

TEST(Dsi, ImagesThatAreNeverSureKeepTheirOwnAnswerWhateverTheTranslationsSay) {
  DsiLogits logits{binary({0.4, -0.4}), torch::zeros({1, 1, 2, 2})};
  logits.translated_TDNK[0][0] = binary({-1.5, 1.5});
  const DsiAnswers answers = dsi_answers(logits, 0b10, 0.95, 1);
  EXPECT_TRUE(answers.accepted_at_N.equal(torch::tensor({-1, -1})));
  EXPECT_TRUE(answers.predicted_N.equal(torch::tensor({1, 0})));
}

TEST(Dsi, EverySubsetAgreesWithTheRuleInLoops) {
  RandomStream stream(4, "logits");
  constexpr std::int64_t kImages = 200, kClasses = 5, kStarts = 3;
  const DsiLogits logits{2 * normal_tensor(stream, {kImages, kClasses}),
                         2 * normal_tensor(stream, {kStarts, 2, kImages, kClasses})};
  std::set<std::int64_t> places;
  for (const DsiSubset subset : every_subset(2)) {
    const DsiAnswers answers = dsi_answers(logits, subset, 0.7, kStarts);
    for (std::int64_t n = 0; n < kImages; ++n) {
      std::vector<std::vector<std::vector<double>>> translated_TD;
      for (std::int64_t t = 0; t < kStarts; ++t) {
        translated_TD.push_back({doubles(logits.translated_TDNK[t][0][n]), doubles(logits.translated_TDNK[t][1][n])});
      }
      const Emulated expected = emulate(doubles(logits.clean_NK[n]), translated_TD, subset, 0.7);
      EXPECT_EQ(answers.predicted_N[n].item<std::int64_t>(), expected.predicted) << subset << " " << n;
      EXPECT_EQ(answers.accepted_at_N[n].item<std::int64_t>(), expected.accepted_at) << subset << " " << n;
      places.insert(expected.accepted_at);
    }
  }
  EXPECT_EQ(places, (std::set<std::int64_t>{-1, 0, 1, 2, 3})) << "the draws leave a case out";
}

TEST(Dsi, OnlyImagesThatNoAnswerWasAcceptedForAreTranslatedAndNoneAfterTheLast) {
  std::vector<std::string> asked;
  const TranslatedLogits fake = [&](std::size_t domain, std::int64_t start, const std::vector<std::int64_t>& rows) {
    asked.push_back(fmt::format("{}:{}:{}", domain, start, fmt::join(rows, ",")));
    std::vector<float> sure;
    for (const std::int64_t row : rows) sure.push_back(row == 1 || start == 1 ? 9.f : 0.f);
    return binary(sure);
  };
  const DsiLogits logits = collect_dsi_logits(binary({8, 0, 0.1f}), 2, 4, {kAll}, 0.8, fake);
  EXPECT_EQ(asked, (std::vector<std::string>{"0:0:1,2", "1:0:1,2", "0:1:2", "1:1:2"}));
  EXPECT_TRUE(dsi_answers(logits, kAll, 0.8, 4).accepted_at_N.equal(torch::tensor({0, 1, 2})));
}

TEST(Dsi, WhatOneSubsetNeedsOfOneDomainIsAskedOfThatDomainAlone) {
  const DsiLogits logits{binary({0, 9}), torch::zeros({1, 2, 2, 2})};
  EXPECT_TRUE(needed_translations(logits, {0b101}, 0.9, 0).equal(torch::tensor({{false, false}, {true, false}})));
  EXPECT_FALSE(needed_translations(logits, {0b001}, 0.9, 0).any().item<bool>())
      << "the image alone needs no translation";
}

TEST(Dsi, AnAnswerThatWasNotComputedIsAnErrorAndNoSilentRefusal) {
  const DsiLogits logits{binary({0}), torch::full({1, 1, 1, 2}, std::nan(""))};
  EXPECT_THROW(dsi_answers(logits, 0b10, 0.9, 1), Error);
}

TEST(Dsi, AThresholdThatEveryAnswerReachesIsRefusedWithItsReason) {
  DsiConfig config;
  config.settle({});
  config.threshold = 0.1;
  const std::string message = message_of<ConfigError>([&] { config.check_usable(7); });
  EXPECT_NE(message.find("0.143"), std::string::npos) << message;
  config.threshold = 0.15;
  EXPECT_NO_THROW(config.check_usable(7));
  config.threshold_from = DsiThresholdFrom::kSourceValidation;
  config.threshold_candidates_percent = {90, 14};
  EXPECT_THROW(config.check_usable(7), ConfigError);
  config.threshold_candidates_percent = {90};
  config.start_steps = {20, 20};
  EXPECT_THROW(config.check_usable(7), ConfigError);
}

TEST(Dsi, AModelWithoutFiguresOfItsOwnIsRefusedBeforeAnythingIsTranslated) {
  const TemporaryFolder place;
  make_run_folder(place, "run", made_description("sketch"), 0.5);
  DsiRequest request;
  request.run = place / "run";
  request.model = "swad";
  request.ldms.emplace_back("photo", kTinySd15);
  const std::string message = message_of<ConfigError>([&] { run_dsi(DsiConfig(), request); });
  EXPECT_NE(message.find("no figures of its model 'swad'"), std::string::npos) << message;
}

TEST(Dsi, SubsetsAreNamedByTheirMembers) {
  EXPECT_EQ(every_subset(2).size(), 7u);
  for (const DsiSubset subset : every_subset(2)) EXPECT_EQ(subset_of(name_of(subset, kDomains), kDomains), subset);
  EXPECT_EQ(name_of(0b101, kDomains), "clean+photo");
  EXPECT_EQ(subset_of("all", kDomains), kAll);
  for (const char* wrong : {"", "clean+sketch", "art+art"})
    EXPECT_THROW(subset_of(wrong, kDomains), ConfigError) << wrong;
}

TEST(Dsi, ARequestTakesAsManyStepsAsTheStartSays) {
  for (std::int64_t steps : {1, 7, 50, 250}) {
    DsiConfig config;
    config.steps = steps;
    for (std::int64_t start = 1; start <= steps; ++start) {
      EXPECT_EQ(image_to_image_steps(steps, config.request(start).strength), start) << steps;
    }
  }
}

TEST(DsiTranslator, TranslationsDoNotDependOnTheGroupsThatTheyAreMadeIn) {
  const TemporaryFolder folder;
  const DsiConfig one = toy_config(1), three = toy_config(3);
  const auto a = translated(one, folder / "one"), b = translated(three, folder / "three");
  ASSERT_EQ(a.size(), kFive.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i]->rgb, b[i]->rgb) << i;
  EXPECT_NE(a[0]->rgb, a[1]->rgb);
}

TEST(DsiTranslator, AStoppedOneGoesOnAndFindsWhatWasMade) {
  const TemporaryFolder folder;
  const DsiConfig config = toy_config(2);
  const auto whole = translated(config, folder / "whole");
  {
    DsiTranslator first(LatentDiffusion::open(kTinySd15), config, folder / "store");
    const auto stop = [asked = 0]() mutable { return ++asked > 1; };
    EXPECT_THROW(first.translate(ToyDataset(), 1, kFive, 3, stop), Interrupted);
    EXPECT_GT(first.made(), 0);
    EXPECT_LE(first.made(), 2);
  }
  DsiTranslator second(LatentDiffusion::open(kTinySd15), config, folder / "store");
  const auto images = second.translate(ToyDataset(), 1, kFive, 3);
  EXPECT_GT(second.found(), 0);
  EXPECT_EQ(second.found() + second.made(), 5);
  for (std::size_t i = 0; i < images.size(); ++i) EXPECT_EQ(images[i]->rgb, whole[i]->rgb) << i;
}

TEST(DsiTranslator, TwoOfOneStoreShareTheWork) {
  const TemporaryFolder folder;
  const DsiConfig config = toy_config(1);
  const auto whole = translated(config, folder / "whole");
  std::vector<std::unique_ptr<DsiTranslator>> two;
  for (int i = 0; i < 2; ++i)
    two.push_back(std::make_unique<DsiTranslator>(LatentDiffusion::open(kTinySd15), config, folder / "store"));
  std::vector<std::vector<std::optional<Image>>> images(2);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 2; ++i)
    threads.emplace_back([&, i] { images[i] = two[i]->translate(ToyDataset(), 1, kFive, 3); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(two[0]->made() + two[1]->made(), 5);
  for (const auto& of_one : images) {
    ASSERT_EQ(of_one.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(of_one[i]->rgb, whole[i]->rgb) << i;
  }
}

TEST(DsiTranslator, ALaterStartIsAnotherPicture) {
  const TemporaryFolder folder;
  const DsiConfig config = toy_config(5);
  DsiTranslator translator(LatentDiffusion::open(kTinySd15), config, folder / "store");
  EXPECT_NE(translator.translate(ToyDataset(), 1, kFive, 1)[0]->rgb,
            translator.translate(ToyDataset(), 1, kFive, 3)[0]->rgb);
  EXPECT_EQ(translator.made(), 10);
}

}  // namespace domainfusion
