#include "domainfusion/training/trainer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "domainfusion/training/source_view.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::size_t count(const std::filesystem::path& run, const std::string& type) {
  std::size_t n = 0;
  for (const auto& record : read_json_lines(run / "records.jsonl")) n += record.at("type") == type;
  return n;
}

}  // namespace

TEST(Trainer, LearnsAToySetAndRecordsWhatItDid) {
  TemporaryFolder place;
  const auto result = toy_run("erm", place / "run", std::make_shared<ToyDataset>(40), RunMode::kNew,
                              {"steps=60", "checkpoint_frequency=20", "loader.augment=false"});
  ASSERT_TRUE(result);
  EXPECT_GT(result->accuracy, 0.9);
  EXPECT_EQ(result->domain, "red");
  EXPECT_EQ(count(place / "run", "step"), 60u);
  EXPECT_EQ(count(place / "run", "validation"), 3u);
  EXPECT_EQ(count(place / "run", "test"), 1u);
}

TEST(Trainer, AnEpochSeesAsManyImagesAsTheInSplitsHold) {
  TrainingConfig config;
  config.loader.batch_size = 32;
  EXPECT_EQ(config.steps_per_epoch(2974, 2), 47);
  EXPECT_EQ(config.total_steps(47), 5000);
  config.epochs = 30;
  EXPECT_EQ(config.total_steps(47), 1410);
}

TEST(Trainer, TheLearningRateFallsToZeroAtTheEnd) {
  OptimizerConfig optimizer;
  optimizer.lr = 2;
  EXPECT_EQ(optimizer.lr_at(5, 10), 2);
  optimizer.decay = LrDecay::kLinear;
  EXPECT_EQ(optimizer.lr_at(0, 10), 2);
  EXPECT_EQ(optimizer.lr_at(5, 10), 1);
}

TEST(Trainer, DivergenceIsAnErrorThatLeavesNoBrokenCheckpoint) {
  TemporaryFolder place;
  const std::string message = error_of([&] {
    toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
            {"optimizer.lr=1e30", "checkpoint_frequency=1"});
  });
  EXPECT_NE(message.find("optimizer.lr"), std::string::npos) << message;
  if (!std::filesystem::exists(place / "run/checkpoint.safetensors")) return;
  for (const auto& [name, tensor] : load_tensors(place / "run/checkpoint.safetensors")) {
    EXPECT_TRUE(torch::isfinite(tensor).all().item<bool>()) << name;
  }
}

TEST(Trainer, AnUnknownTestDomainAlgorithmOrOptionNamesTheNearest) {
  TemporaryFolder place;
  const auto run = [&](const std::string& algorithm, const std::string& option) {
    return error_of([&] { toy_run(algorithm, place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {option}); });
  };
  EXPECT_NE(run("erm", "test_domain=gren").find("did you mean 'green'"), std::string::npos);
  EXPECT_NE(run("erm", "optimizer.lrr=1").find("did you mean 'optimizer.lr'"), std::string::npos);
  EXPECT_NE(run("em", "seed=1").find("did you mean 'erm'"), std::string::npos);
  EXPECT_NE(run("erm", "test_domain=").find("blue, green, red"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(place / "run"));
}

TEST(Trainer, ARefusedRunLeavesNoFolder) {
  TemporaryFolder place;
  const auto refused = [&](const std::string& algorithm, const std::string& option) {
    return error_of([&] { toy_run(algorithm, place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {option}); });
  };
  EXPECT_NE(refused("domainfusion", "ldm=").find("--ldm"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(place / "run"));
  EXPECT_NE(refused("domainfusion", "augmentation.first_round_epoch=1000").find("no round"), std::string::npos);
  EXPECT_NE(refused("erm", "classifier.freeze_batch_norm=true").find("classifier.weights"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(place / "run"));
}

TEST(Trainer, ADoubledBatchHoldsTwiceTheImages) {
  RunSetup setup = toy_setup("erm", {"erm.batch_multiplier=2"});
  EXPECT_EQ(setup.algorithm->batch_multiplier(), 2);
  TemporaryFolder place;
  std::int64_t reads = 0;
  for (const char* multiplier : {"1", "2"}) {
    auto dataset = std::make_shared<ToyDataset>();
    std::atomic<std::int64_t> read{0};
    dataset->on_read = [&](std::int64_t) { ++read; };
    const std::string folder = std::string("run") + multiplier;
    ASSERT_TRUE(toy_run("erm", place / folder, dataset, RunMode::kNew,
                        {"steps=10", "checkpoint_frequency=10", "loader.ahead_steps=1", std::string("erm.batch_multiplier=") + multiplier}));
    // 80 more in ten steps, give or take what the loader holds ready; validation and test read the same images.
    EXPECT_GT(read - reads, 40);
    reads = read;
  }
}

TEST(SourceView, ShowsItsPartAloneAndNumbersItAnew) {
  auto dataset = std::make_shared<ToyDataset>();
  const SourceView view(dataset, {{0, {3, 5}}, {2, {1}}});
  EXPECT_EQ(view.domain_names(), (std::vector<std::string>{"blue", "red"}));
  EXPECT_EQ(view.size(0), 2);
  EXPECT_EQ(view.size(1), 1);
  EXPECT_EQ(view.info(0, 1).path, dataset->info(0, 5).path);
  EXPECT_EQ(view.info(1, 0).domain, 1);
  EXPECT_EQ(view.image(1, 0), dataset->image(2, 1));
  EXPECT_THROW(view.image(0, 2), ConfigError);
}

TEST(HoldoutGuard, CountsImagesOfTargetAndOutSplitsByTheirHashes) {
  auto dataset = std::make_shared<ToyDataset>();
  const HoldoutGuard guard(dataset, 2, {{0, 1}, {4}, {0}});
  EXPECT_EQ(guard.target_name(), "red");
  const std::set<std::string> hashes{dataset->image_hash(2, 7), dataset->image_hash(1, 4), dataset->image_hash(0, 3)};
  EXPECT_EQ(guard.target_images_among(hashes), 1);
  EXPECT_EQ(guard.out_images_among(hashes), 1);
}

TEST(RunRecords, GoOutAndComeBack) {
  const ValidationRecord validation{300, {{"a", 0.5}, {"b", 0.7}}, 0.6, 1.25};
  const auto read = validation_record(to_json(validation));
  EXPECT_EQ(read.accuracy, validation.accuracy);
  EXPECT_EQ(read.mean_loss, 1.25);
  const TestRecord test{"c", 300, 0.5, {{1, 0}, {1, 0}}};
  EXPECT_EQ(test_record(to_json(test)).confusion, test.confusion);
  EXPECT_EQ(step_record(to_json(StepRecord{4, {{"loss", 2.0}}})).scalars.at("loss"), 2.0);
  EXPECT_THROW(test_record(to_json(validation)), FormatError);
}

}  // namespace domainfusion
