#include "domainfusion/training/records/training_fit.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

std::vector<nlohmann::json> fit_lines(const std::filesystem::path& run, const std::string& type) {
  std::vector<nlohmann::json> chosen;
  for (const auto& record : read_json_lines(run / "records.jsonl"))
    if (record.at("type") == type) chosen.push_back(record);
  return chosen;
}

double mean_of_last(const std::vector<nlohmann::json>& steps, std::size_t count, const char* key) {
  double sum = 0;
  for (std::size_t i = steps.size() - count; i < steps.size(); ++i) sum += steps[i].at(key).get<double>();
  return sum / static_cast<double>(count);
}

}  // namespace

TEST(LastEpochFit, CountsTheLastEpochsStepsAndNoOthers) {
  LastEpochFit fit(2);
  EXPECT_FALSE(fit.record(0));
  fit.add({10, 1, 20.0});
  EXPECT_EQ(fit.record(1)->accuracy, 0.1) << "a run of less than an epoch: over all its steps";
  fit.add({10, 6, 8.0});
  fit.add({6, 6, 0.0});
  const FitRecord record = *fit.record(3);
  EXPECT_EQ(record.step, 3);
  EXPECT_EQ(record.images, 16);
  EXPECT_EQ(record.accuracy, 0.75);
  EXPECT_EQ(record.loss, 0.5);
}

TEST(LastEpochFit, GoesOnFromACheckpointAndSaysNothingOfStepsThatAnOlderVersionTook) {
  LastEpochFit fit(2), resumed(2), older(2);
  fit.add({4, 1, 5.0});
  fit.add({4, 2, 3.0});
  resumed.load(fit.save());
  resumed.add({4, 4, 1.0});
  EXPECT_EQ(resumed.record(3)->accuracy, 0.75);
  older.load({});
  older.add({4, 4, 1.0});
  EXPECT_FALSE(older.record(3));
  older.add({4, 4, 1.0});
  EXPECT_TRUE(older.record(4));
  EXPECT_THROW(older.load({{"last_epoch", torch::zeros({3})}}), FormatError);
}

TEST(FitRecord, GoesOutAndComesBackAndKnowsItsThreshold) {
  const FitRecord read = fit_record(to_json(FitRecord{7, 0.94, 0.5, 32}));
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.loss, 0.5);
  EXPECT_EQ(read.images, 32);
  EXPECT_TRUE(read.under_fitted());
  EXPECT_FALSE((FitRecord{7, 0.95, 0.5, 32}).under_fitted());
  EXPECT_THROW(fit_record({{"type", "fit"}, {"step", 1}}), FormatError);
}

// 32 IN images in steps of 8, so an epoch is the last 4 of 9 steps.
TEST(TrainingFit, OfEveryAlgorithmIsThatOfTheRawImagesOfItsLastEpoch) {
  TemporaryFolder place;
  for (const std::string algorithm : {"erm", "mixstyle", "efdmix", "mode_f", "mode_a", "domainfusion"}) {
    ASSERT_TRUE(toy_run(algorithm, place / algorithm, std::make_shared<ToyDataset>())) << algorithm;
    const auto fits = fit_lines(place / algorithm, "fit"), steps = fit_lines(place / algorithm, "step");
    ASSERT_EQ(fits.size(), 1u) << algorithm;
    const FitRecord fit = fit_record(fits[0]);
    EXPECT_EQ(fit.step, 9);
    EXPECT_EQ(fit.images, 32) << algorithm;
    EXPECT_NEAR(fit.accuracy, mean_of_last(steps, 4, "accuracy"), 1e-9) << algorithm;
    const char* raw = steps[0].contains("loss_raw") ? "loss_raw" : "loss";
    EXPECT_NEAR(fit.loss, mean_of_last(steps, 4, raw), 1e-5) << algorithm;
  }
}

TEST(TrainingFit, OfAShortRunIsOverAllItsStepsAndOfAFinishedRunStandsThereOnce) {
  TemporaryFolder place;
  for (const RunMode mode : {RunMode::kNew, RunMode::kResume}) {
    ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), mode, {"steps=2"}));
    const auto fits = fit_lines(place / "run", "fit");
    ASSERT_EQ(fits.size(), 1u);
    EXPECT_EQ(fits[0].at("images"), 16);
  }
}

TEST(TrainingFit, IsTheSameWhereverTheRunIsStopped) {
  TemporaryFolder place;
  ASSERT_TRUE(toy_run("erm", place / "whole", std::make_shared<ToyDataset>()));
  for (const int reads : {50, 70}) {
    const auto run = place / fmt::format("stopped{}", reads);
    EXPECT_FALSE(toy_run("erm", run, stopped_at_read(reads)));
    EXPECT_TRUE(fit_lines(run, "fit").empty());
    ASSERT_TRUE(toy_run("erm", run, std::make_shared<ToyDataset>(), RunMode::kResume));
    EXPECT_EQ(fit_lines(run, "fit"), fit_lines(place / "whole", "fit"));
  }
}

}  // namespace domainfusion
