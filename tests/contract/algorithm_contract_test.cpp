// What every algorithm in the registry must keep to.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/io/files/file_bytes.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

class AlgorithmContract : public testing::TestWithParam<std::string> {
 protected:
  TemporaryFolder folder_;
};

}  // namespace

TEST_P(AlgorithmContract, TheSameSeedGivesTheSameBits) {
  ASSERT_TRUE(toy_run(GetParam(), folder_ / "a", std::make_shared<ToyDataset>()));
  ASSERT_TRUE(toy_run(GetParam(), folder_ / "b", std::make_shared<ToyDataset>(), RunMode::kNew, {"loader.workers=0"}));
  // run.json differs in the number of workers; nothing else may.
  expect_same_run(folder_ / "a", folder_ / "b");
}

TEST_P(AlgorithmContract, AnotherSeedGivesOtherWeights) {
  ASSERT_TRUE(toy_run(GetParam(), folder_ / "a", std::make_shared<ToyDataset>()));
  ASSERT_TRUE(toy_run(GetParam(), folder_ / "b", std::make_shared<ToyDataset>(), RunMode::kNew, {"seed=1"}));
  EXPECT_FALSE(read_file(folder_ / "a/best.safetensors") == read_file(folder_ / "b/best.safetensors"));
}

TEST_P(AlgorithmContract, AStoppedAndResumedRunEqualsAnUninterruptedOne) {
  ASSERT_TRUE(toy_run(GetParam(), folder_ / "whole", std::make_shared<ToyDataset>()));
  for (const int reads : {1, 30, 60}) {
    const auto path = folder_ / ("stopped" + std::to_string(reads));
    EXPECT_FALSE(toy_run(GetParam(), path, stopped_at_read(reads)));
    ASSERT_TRUE(toy_run(GetParam(), path, std::make_shared<ToyDataset>(), RunMode::kResume));
    expect_same_run(folder_ / "whole", path);
  }
}

TEST_P(AlgorithmContract, TrainingAndSelectionNeverReadTheTestDomain) {
  struct TargetRead {};
  auto guarded = std::make_shared<ToyDataset>();
  guarded->on_read = [](std::int64_t domain) {
    if (domain == 2) throw TargetRead();
  };
  // The final evaluation alone reads it: all steps and validations are behind us by then.
  EXPECT_THROW(toy_run(GetParam(), folder_ / "run", guarded), TargetRead);
  const auto records = read_json_lines(folder_ / "run/records.jsonl");
  ASSERT_GE(records.size(), 2u);
  EXPECT_EQ(records.back().at("type"), "fit");
  const auto& before = records[records.size() - 2];
  EXPECT_EQ(before.at("type"), "validation");
  EXPECT_EQ(before.at("step"), 9);
}

INSTANTIATE_TEST_SUITE_P(Registry, AlgorithmContract, testing::ValuesIn(algorithms().names()),
                         [](const auto& info) { return info.param; });

}  // namespace domainfusion
