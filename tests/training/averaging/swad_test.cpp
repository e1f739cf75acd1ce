#include "domainfusion/training/averaging/swad.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/evaluation/tables/run_result.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

// Converges at the first validation, dies at the next one with a higher loss.
const std::vector<std::string> kShortLived{"averaging.method=swad",
                                           "averaging.n_converge=1",
                                           "averaging.n_tolerance=1",
                                           "averaging.tolerance_ratio=0",
                                           "averaging.batch_norm_steps=3",
                                           "checkpoint_frequency=1",
                                           "steps=30"};

std::vector<std::string> with(std::vector<std::string> options, const std::string& more) {
  options.push_back(more);
  return options;
}

std::vector<std::int64_t> validated_steps(const std::filesystem::path& run) {
  std::vector<std::int64_t> steps;
  for (const ValidationRecord& record : read_run(run).validations) steps.push_back(record.step);
  return steps;
}

}  // namespace

TEST(SwadRun, ValidatesAsTheReleasedCodeDoesSoThatSegmentZeroHoldsOneStep) {
  TemporaryFolder place;
  const std::vector<std::string> options{"averaging.method=swad", "averaging.batch_norm_steps=1", "steps=9"};
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options));
  EXPECT_EQ(validated_steps(place / "run"), (std::vector<std::int64_t>{1, 5, 9}));
  ASSERT_TRUE(toy_run("erm", place / "multiples", std::make_shared<ToyDataset>(), RunMode::kNew,
                      with(options, "checkpoint_at=multiples")));
  EXPECT_EQ(validated_steps(place / "multiples"), (std::vector<std::int64_t>{4, 8, 9}));
}

TEST(SwadRun, ADeadValleyEndsTrainingAndTheAverageIsTheSameIfItDoesNot) {
  TemporaryFolder place;
  ASSERT_TRUE(toy_run("erm", place / "ended", std::make_shared<ToyDataset>(), RunMode::kNew, kShortLived));
  ASSERT_TRUE(toy_run("erm", place / "went_on", std::make_shared<ToyDataset>(), RunMode::kNew,
                      with(kShortLived, "averaging.stop_when_dead=false")));
  EXPECT_LT(validated_steps(place / "ended").size(), 30u);
  EXPECT_EQ(validated_steps(place / "went_on").size(), 30u);
  EXPECT_TRUE(read_file(place / "ended/swad.safetensors") == read_file(place / "went_on/swad.safetensors"));
  const auto records = timeless_records(place / "ended");
  ASSERT_TRUE(toy_run("erm", place / "ended", std::make_shared<ToyDataset>(), RunMode::kResume, kShortLived));
  EXPECT_EQ(timeless_records(place / "ended"), records);
}

TEST(SwadRun, ARunStoppedWhileBatchNormIsTakenAnewDoesItAgain) {
  TemporaryFolder place;
  const std::vector<std::string> options{"averaging.method=swad", "averaging.batch_norm_steps=3",
                                         "checkpoint_frequency=1"};
  ASSERT_TRUE(toy_run("erm", place / "whole", std::make_shared<ToyDataset>(), RunMode::kNew, options));
  // Steps and validations read 144 images, the test 16: batch norm's 24 follow, and a stop is seen before each 8 of
  // them.
  EXPECT_FALSE(toy_run("erm", place / "run", stopped_at_read(170), RunMode::kNew, options));
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kResume, options));
  expect_same_run(place / "whole", place / "run", {"checkpoint.safetensors", "best.safetensors", "swad.safetensors"});
}

TEST(Swad, WithoutConvergenceGivesTheLastSegment) {
  Swad swad({});
  torch::nn::Linear model(1, 1);
  EXPECT_THROW(swad.average(), Error);
  for (int step = 0; step < 6; ++step) {
    torch::NoGradGuard no_grad;
    model->weight.fill_(step);
    swad.after_step(step, *model);
    if (step % 2 == 1) swad.after_validation(1.0 / (step + 1));
  }
  const AveragedWeights average = swad.average();
  EXPECT_EQ(average.record.at("converged"), false);
  EXPECT_EQ(average.weights.at("weight").item<double>(), 4.5);
  EXPECT_EQ(average.record.at("start_step"), 4);
}

TEST(Swad, RefusesAStateThatIsNotItsOwn) {
  Swad swad({});
  EXPECT_THROW(swad.load({}, nlohmann::json::object()), FormatError);
}

}  // namespace domainfusion
