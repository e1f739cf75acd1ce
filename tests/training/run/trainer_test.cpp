#include "domainfusion/training/run/trainer.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>

#include "domainfusion/diffusion/ldm_provenance.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/training/guards/source_view.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

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

TEST(Trainer, ASetIsCalledAfterItsFolderHoweverThatIsSpelt) {
  TrainingConfig config;
  for (const char* root : {"/some/birds", "/some/birds/", "/some/birds/.", "/some/other/../birds"}) {
    config.data.root = root;
    EXPECT_EQ(dataset_name(ToyDataset(), config), "birds") << root;
  }
  config.data.root = ".";
  EXPECT_EQ(dataset_name(ToyDataset(), config), std::filesystem::current_path().filename().string());
}

TEST(Trainer, TheHeldOutDomainIsNotReadBetweenTheFirstStepAndTheLast) {
  TemporaryFolder place;
  auto dataset = std::make_shared<ToyDataset>();
  std::atomic<int> early{0};
  dataset->on_read = [&](std::int64_t domain) {
    if (domain != 2 || !std::filesystem::exists(place / "run/records.jsonl")) return;
    const std::size_t steps = count(place / "run", "step");
    early += steps > 0 && steps < 9;
  };
  ASSERT_TRUE(toy_run("erm", place / "run", dataset));
  EXPECT_EQ(early, 0);
}

TEST(Trainer, OracleRecordsHoldBothSplitsOfTheTargetForTheSelectedAndTheLastModel) {
  TemporaryFolder place;
  const auto tested = toy_run("erm", place / "run", std::make_shared<ToyDataset>());
  std::map<std::int64_t, OracleRecord> oracles;
  for (const auto& line : read_json_lines(place / "run/records.jsonl")) {
    if (line.at("type") != "oracle") continue;
    const OracleRecord record = oracle_record(line);
    oracles[record.step] = record;
  }
  ASSERT_TRUE(oracles.count(9));
  ASSERT_TRUE(oracles.count(tested->step));
  EXPECT_EQ(oracles[tested->step].in_accuracy, tested->accuracy);
  EXPECT_EQ(oracles.size(), tested->step == 9 ? 1u : 2u);
}

TEST(Trainer, ASecondHeldOutDomainIsNotLearnedFromAndIsEvaluatedAtEachValidation) {
  TemporaryFolder place;
  auto dataset = std::make_shared<ToyDataset>(40);
  ASSERT_TRUE(toy_run("erm", place / "run", dataset, RunMode::kNew,
                      {"cross_validation_domain=blue", "checkpoint_frequency=3"}));
  std::vector<CrossValidationRecord> found;
  for (const auto& line : read_json_lines(place / "run/records.jsonl")) {
    if (line.at("type") == "cross_validation") found.push_back(cross_validation_record(line));
    if (line.at("type") == "validation") {
      EXPECT_EQ(validation_record(line).accuracy.size(), 1u);
    }
  }
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[2].step, 9);
  EXPECT_TRUE(found[0].in_accuracy.count("red") && found[0].in_accuracy.count("blue"));
  const std::string twice = message_of<Error>([&] {
    toy_run("erm", place / "twice", std::make_shared<ToyDataset>(), RunMode::kNew, {"cross_validation_domain=red"});
  });
  EXPECT_NE(twice.find("named twice"), std::string::npos) << twice;
}

TEST(Trainer, AugmentedValidationIsAnotherFigureAndAlwaysTheSameOne) {
  TemporaryFolder place;
  const auto losses = [&](const std::string& folder, const std::string& option) {
    toy_run("erm", place / folder, std::make_shared<ToyDataset>(40), RunMode::kNew, {option});
    std::vector<double> found;
    for (const auto& line : read_json_lines(place / folder / "records.jsonl")) {
      if (line.at("type") == "validation") found.push_back(validation_record(line).mean_loss);
    }
    return found;
  };
  const auto plain = losses("plain", "augment_validation=false"),
             augmented = losses("augmented", "augment_validation=true");
  EXPECT_NE(plain, augmented);
  EXPECT_EQ(augmented, losses("again", "augment_validation=true"));
}

TEST(Trainer, ValidationsAreCountedWithoutGoingThroughTheSteps) {
  TrainingConfig config;
  for (const CheckpointAt at : {CheckpointAt::kMultiples, CheckpointAt::kDomainBed}) {
    for (const std::int64_t frequency : {1, 3, 7}) {
      config.checkpoint_at = at;
      config.checkpoint_frequency = frequency;
      for (std::int64_t total = 1; total < 20; ++total) {
        std::int64_t count = 0;
        for (std::int64_t done = 1; done <= total; ++done) count += config.validates_after(done, total);
        EXPECT_EQ(config.validations(total), count) << frequency << " " << total;
      }
    }
  }
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

TEST(Trainer, TheLearningRateFollowsACosineOrFallsInSteps) {
  OptimizerConfig optimizer;
  optimizer.lr = 2;
  optimizer.decay = LrDecay::kCosine;
  EXPECT_EQ(optimizer.lr_at(0, 8), 2);
  EXPECT_NEAR(optimizer.lr_at(2, 8), 1 + std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(optimizer.lr_at(4, 8), 1, 1e-12);
  optimizer.decay = LrDecay::kStep;
  optimizer.decay_steps = {3, 6};
  EXPECT_EQ(optimizer.lr_at(2, 8), 2);
  EXPECT_NEAR(optimizer.lr_at(3, 8), 0.2, 1e-12);
  EXPECT_NEAR(optimizer.lr_at(7, 8), 0.02, 1e-12);
}

TEST(Trainer, AWarmUpRisesLinearlyAndTheDecayFollowsIt) {
  OptimizerConfig optimizer;
  optimizer.lr = 2;
  optimizer.warmup_steps = 4;
  optimizer.decay = LrDecay::kLinear;
  EXPECT_EQ(optimizer.lr_at(0, 12), 0.5);
  EXPECT_EQ(optimizer.lr_at(3, 12), 2);
  EXPECT_EQ(optimizer.lr_at(4, 12), 2);
  EXPECT_EQ(optimizer.lr_at(8, 12), 1);
}

TEST(Trainer, ADivergingRunKeepsCheckpointAndBestModelOfTheLastValidation) {
  TemporaryFolder place;
  // Each step multiplies all weights by about -2: the first validations are finite, the later ones are not.
  const std::vector<std::string> diverging{"optimizer.name=adamw",        "optimizer.lr=1e-3",
                                           "optimizer.weight_decay=3000", "optimizer.decay=constant",
                                           "checkpoint_frequency=1",      "steps=40"};
  const std::string message = message_of<Error>(
      [&] { toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, diverging); });
  EXPECT_NE(message.find("diverged"), std::string::npos) << message;
  EXPECT_NE(message.find("start anew with a lower optimizer.lr"), std::string::npos) << message;
  for (const char* file : {"run/checkpoint.safetensors", "run/best.safetensors"}) {
    for (const auto& [name, tensor] : load_tensors(place / file)) {
      EXPECT_TRUE(torch::isfinite(tensor).all().item<bool>()) << file << " " << name;
    }
  }
  EXPECT_EQ(count(place / "run", "test"), 0u);
  // Resumed, it says the same; with another rate it is another run.
  EXPECT_EQ(message_of<Error>(
                [&] { toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kResume, diverging); }),
            message);
  std::vector<std::string> slower = diverging;
  slower[1] = "optimizer.lr=1e-5";
  const std::string refused = message_of<Error>(
      [&] { toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kResume, slower); });
  EXPECT_NE(refused.find("optimizer/lr was 0.001, is 1e-05"), std::string::npos) << refused;
}

TEST(Trainer, KeepsEveryCheckpointIfAsked) {
  TemporaryFolder place;
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>()));
  EXPECT_FALSE(std::filesystem::exists(place / "run/checkpoint-4.safetensors"));
  ASSERT_TRUE(toy_run("erm", place / "kept", std::make_shared<ToyDataset>(), RunMode::kNew, {"keep_checkpoints=true"}));
  for (const char* step : {"4", "8", "9"}) {
    EXPECT_TRUE(std::filesystem::exists(place / "kept" / (std::string("checkpoint-") + step + ".safetensors"))) << step;
  }
  EXPECT_TRUE(read_file(place / "kept/checkpoint-9.safetensors") == read_file(place / "run/checkpoint.safetensors"));
  EXPECT_FALSE(read_file(place / "kept/checkpoint-4.safetensors") ==
               read_file(place / "kept/checkpoint-8.safetensors"));
}

TEST(Trainer, MixedPrecisionLearnsAndKeepsWeightsInFloat32) {
  TemporaryFolder place;
  const std::vector<std::string> options{"steps=150", "checkpoint_frequency=50", "loader.augment=false",
                                         "classifier.dropout=0"};
  std::vector<std::string> mixed = options;
  mixed.push_back("precision=bfloat16");
  const auto result = toy_run("erm", place / "mixed", std::make_shared<ToyDataset>(40), RunMode::kNew, mixed);
  const auto full = toy_run("erm", place / "full", std::make_shared<ToyDataset>(40), RunMode::kNew, options);
  ASSERT_TRUE(result && full);
  EXPECT_GT(full->accuracy, 0.95);
  EXPECT_GT(result->accuracy, 0.9);
  EXPECT_EQ(load_tensors(place / "mixed/best.safetensors").at("conv1.weight").scalar_type(), torch::kFloat32);
  EXPECT_FALSE(read_file(place / "mixed/best.safetensors") == read_file(place / "full/best.safetensors"));
  mixed.back() = "precision=float16";
  const std::string refused =
      message_of<Error>([&] { toy_run("erm", place / "half", std::make_shared<ToyDataset>(), RunMode::kNew, mixed); });
  EXPECT_NE(refused.find("bfloat16"), std::string::npos) << refused;
}

TEST(Trainer, DivergenceIsAnErrorThatLeavesNoBrokenCheckpoint) {
  TemporaryFolder place;
  const std::string message = message_of<Error>([&] {
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
    return message_of<Error>(
        [&] { toy_run(algorithm, place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {option}); });
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
    return message_of<Error>(
        [&] { toy_run(algorithm, place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {option}); });
  };
  EXPECT_NE(refused("domainfusion", "ldm=").find("--ldm"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(place / "run"));
  EXPECT_NE(refused("domainfusion", "ldm=/nowhere").find("/nowhere"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(place / "run"));
  EXPECT_NE(refused("domainfusion", "augmentation.first_round_epoch=1000").find("no round"), std::string::npos);
  EXPECT_NE(refused("erm", "classifier.freeze_batch_norm=true").find("classifier.weights"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(place / "run"));
}

TEST(Trainer, ARefusedRunLeavesTheRunThatItWasToOverwrite) {
  TemporaryFolder place;
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>()));
  ASSERT_TRUE(toy_run("erm", place / "same", std::make_shared<ToyDataset>()));
  const std::string refused = message_of<Error>([&] {
    toy_run("domainfusion", place / "run", std::make_shared<ToyDataset>(), RunMode::kOverwrite, {"ldm=/nowhere"});
  });
  EXPECT_NE(refused.find("/nowhere"), std::string::npos);
  expect_same_run(place / "run", place / "same", {"checkpoint.safetensors", "best.safetensors", "run.json"});
}

namespace {

// A run that ends with an error, as without warning, at its `reads`th image.
void end_at_read(const std::filesystem::path& run, int reads, const std::vector<std::string>& options) {
  auto dataset = std::make_shared<ToyDataset>();
  auto left = std::make_shared<std::atomic<int>>(reads);
  dataset->on_read = [left](std::int64_t) { check(--*left > 0, "ended"); };
  EXPECT_THROW(toy_run("erm", run, dataset, RunMode::kResume, options), Error);
}

}  // namespace

TEST(Trainer, CheckpointsByTimeAreContinuedToTheSameBits) {
  TemporaryFolder place;
  const std::vector<std::string> plain{"averaging.method=swad", "averaging.stop_when_dead=false", "loader.workers=0",
                                       "averaging.batch_norm_steps=2", "checkpoint_frequency=6"};
  std::vector<std::string> often = plain;
  often.push_back("checkpoint_minutes=1e-9");  // after each step
  ASSERT_TRUE(toy_run("erm", place / "whole", std::make_shared<ToyDataset>(), RunMode::kNew, plain));
  std::set<std::string> checkpoints;
  for (int start = 0; start < 4; ++start) {
    end_at_read(place / "run", 30, often);
    checkpoints.insert(read_file(place / "run/checkpoint.safetensors"));
  }
  EXPECT_EQ(checkpoints.size(), 4u) << "each start goes on from where the last one was ended";
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kResume, often));
  expect_same_run(place / "whole", place / "run", {"checkpoint.safetensors", "best.safetensors", "swad.safetensors"});
}

TEST(Trainer, ABestModelThatAKillKeptFromBeingWrittenIsThatOfTheCheckpoint) {
  TemporaryFolder place;
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {"checkpoint_frequency=9"}));
  const std::string best = read_file(place / "run/best.safetensors");
  std::filesystem::remove(place / "run/best.safetensors");
  ASSERT_TRUE(
      toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kResume, {"checkpoint_frequency=9"}));
  EXPECT_TRUE(read_file(place / "run/best.safetensors") == best);
}

TEST(Trainer, ABestModelOfAnotherStepThanTheSelectedOneIsNotTested) {
  TemporaryFolder place;
  const auto tested = toy_run("erm", place / "run", std::make_shared<ToyDataset>(40), RunMode::kNew,
                              {"steps=60", "checkpoint_frequency=3", "loader.augment=false"});
  ASSERT_TRUE(tested && tested->step < 60) << "the test needs a best model before the end";
  Classifier other = Classifier(toy_setup("erm").config.classifier, 2, 0);
  save_model(place / "run/best.safetensors", other, tested->step + 3, 0.5);
  const std::string message = message_of<FormatError>([&] {
    toy_run("erm", place / "run", std::make_shared<ToyDataset>(40), RunMode::kResume,
            {"steps=60", "checkpoint_frequency=3", "loader.augment=false"});
  });
  EXPECT_NE(message.find(fmt::format("the model after {} steps", tested->step + 3)), std::string::npos) << message;
}

TEST(Trainer, AFinishedRunGetsMoreStepsAndIsTheRunThatWasValidatedAtItsEarlierEnd) {
  TemporaryFolder place;
  const auto options = [](const std::string& steps) {
    return std::vector<std::string>{"optimizer.decay=constant", "averaging.method=swad", "steps=" + steps,
                                    "averaging.stop_when_dead=false", "averaging.batch_norm_steps=2"};
  };
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options("7")));
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kResume, options("12")));
  Trainer whole(toy_setup("erm", options("12")), std::make_shared<ToyDataset>(),
                {.run_folder = place / "whole", .earlier_ends = {7}});
  ASSERT_TRUE(whole.run());
  expect_same_run(place / "whole", place / "run",
                  {"checkpoint.safetensors", "best.safetensors", "swad.safetensors", "run.json"});
  std::vector<std::int64_t> validated;
  for (const auto& record : read_json_lines(place / "run/records.jsonl")) {
    if (record.at("type") == "validation" && !record.contains("model")) validated.push_back(record.at("step"));
  }
  EXPECT_EQ(validated, (std::vector<std::int64_t>{1, 5, 7, 9, 12}));
}

TEST(Trainer, ARunWhoseDecayOrRoundsArePlannedOverItsLengthGetsNoMoreSteps) {
  TemporaryFolder place;
  const auto longer = [&](const std::string& algorithm, const std::string& option) {
    const auto run = [&](RunMode mode, const std::string& steps) {
      toy_run(algorithm, place / algorithm, std::make_shared<ToyDataset>(), mode, {option, "steps=" + steps});
    };
    run(RunMode::kNew, "4");
    return message_of<ConfigError>([&] { run(RunMode::kResume, "5"); });
  };
  EXPECT_NE(longer("erm", "optimizer.decay=cosine").find("optimizer.decay is spread"), std::string::npos);
  EXPECT_NE(longer("domainfusion", "optimizer.decay=constant").find("the rounds of domainfusion"), std::string::npos);
}

TEST(Trainer, TheNameOfAnAlgorithmMayStandInQuotes) {
  EXPECT_EQ(make_run_setup({}, {"algorithm=\"mixstyle\""}, {}).config.algorithm, "mixstyle");
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
                        {"steps=10", "checkpoint_frequency=10", "loader.ahead_steps=1",
                         std::string("erm.batch_multiplier=") + multiplier}));
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
  const HoldoutGuard guard(dataset, {2}, {{0, 1}, {4}, {0}});
  EXPECT_EQ(guard.target_name(), "red");
  const std::set<std::string> hashes{recorded_hash(dataset->file_hash(2, 7)), recorded_hash(dataset->file_hash(1, 4)),
                                     recorded_hash(dataset->file_hash(0, 3))};
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

// A run may start from the weights of another only if that one held out what this one holds out.
TEST(Trainer, WeightsThatSawTheTargetAreRefusedAndUnknownOnesAreTold) {
  TemporaryFolder place;
  const auto start_from = [&](const std::filesystem::path& weights, const std::string& folder,
                              const std::vector<std::string>& more = {}) {
    std::vector<std::string> options{"classifier.weights=" + weights.string()};
    options.insert(options.end(), more.begin(), more.end());
    return toy_run("erm", place / folder, std::make_shared<ToyDataset>(), RunMode::kNew, options);
  };
  ASSERT_TRUE(toy_run("erm", place / "red", std::make_shared<ToyDataset>()));
  ASSERT_TRUE(toy_run("erm", place / "green", std::make_shared<ToyDataset>(), RunMode::kNew, {"test_domain=green"}));
  const std::string refused = message_of<ConfigError>([&] { start_from(place / "green/best.safetensors", "refused"); });
  EXPECT_NE(refused.find("trained with 'green' held out, not 'red'"), std::string::npos) << refused;
  EXPECT_FALSE(std::filesystem::exists(place / "refused"));

  ASSERT_TRUE(start_from(place / "red/best.safetensors", "known"));
  std::filesystem::copy_file(place / "red/best.safetensors", place / "alone.safetensors");
  ASSERT_TRUE(start_from(place / "alone.safetensors", "unknown"));
  const auto unknown_origin = [&](const std::string& folder) {
    for (const auto& line : read_json_lines(place / folder / "records.jsonl"))
      if (line.at("type") == "guard") return guard_record(line).weights_of_unknown_origin;
    return std::string("no guard record");
  };
  EXPECT_EQ(unknown_origin("known"), "");
  EXPECT_EQ(unknown_origin("unknown"), (place / "alone.safetensors").string());
}

}  // namespace domainfusion
