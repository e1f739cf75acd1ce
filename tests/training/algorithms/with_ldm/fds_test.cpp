#include "domainfusion/training/algorithms/with_ldm/fds.h"

#include <gtest/gtest.h>

#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "tiny_models.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

class FdsRun : public testing::Test {
 protected:
  bool run(const std::string& name, const std::vector<std::string>& overrides = {}, RunMode mode = RunMode::kNew) {
    return toy_run("fds", folder_ / name, std::make_shared<ToyDataset>(), mode, overrides).has_value();
  }
  std::string refusal(const std::vector<std::string>& overrides) {
    return message_of<ConfigError>([&] { run(fmt::format("refused{}", refusals_++), overrides); });
  }
  std::vector<nlohmann::json> provenance(const std::string& store) {
    std::vector<nlohmann::json> lines;
    for_each_provenance(folder_ / store, [&](const nlohmann::json& line) { lines.push_back(line); });
    return lines;
  }
  nlohmann::json record(const std::string& name, const std::string& type) {
    for (const auto& line : read_json_lines(folder_ / name / "records.jsonl")) {
      if (line.at("type") == type) return line;
    }
    return nullptr;
  }
  std::string shared() const { return "candidates=" + (folder_ / "shared").string(); }
  TemporaryFolder folder_;
  int refusals_ = 0;
};

}  // namespace

TEST_F(FdsRun, MakesImagesBetweenTheSourcesAndNothingOfTheTarget) {
  ASSERT_TRUE(run("run"));
  const auto lines = provenance("run/candidates");
  EXPECT_EQ(lines.size(), 2u * 6);
  for (const auto& line : lines) {
    const std::string prompt = line.at("key").at("prompt");
    EXPECT_TRUE(prompt == "blue, across + green, across" || prompt == "blue, down + green, down") << prompt;
  }
  EXPECT_EQ(keys_in_list(folder_ / "run/candidates.jsonl").size(), 12u);
  const auto fds = record("run", "fds");
  EXPECT_EQ(fds.at("images"), 12);
  ASSERT_EQ(fds.at("pairs").size(), 1u);
  const auto& pair = fds.at("pairs")[0];
  EXPECT_EQ(pair.at("pair"), "blue + green");
  EXPECT_GT(pair.at("kept"), 0);
  EXPECT_LE(pair.at("kept"), 4);
  EXPECT_GE(pair.at("right"), pair.at("kept"));
}

// Four images of each of two sources, and four of the pair, a step; training accuracy counts the sources' alone.
TEST_F(FdsRun, APairIsOneMoreDomainOfEachBatchAndIsNotCountedAsASource) {
  ASSERT_TRUE(run("run"));
  EXPECT_EQ(record("run", "fit").at("images"), 32);
  ASSERT_TRUE(toy_run("erm", folder_ / "erm", std::make_shared<ToyDataset>()));
  EXPECT_FALSE(read_file(folder_ / "erm/best.safetensors") == read_file(folder_ / "run/best.safetensors"));
}

TEST_F(FdsRun, ItsJudgeMustHaveHeldOutTheSameDomainAndBeKnown) {
  EXPECT_NE(refusal({"fds.judge=\"\""}).find("train ERM"), std::string::npos);
  ASSERT_TRUE(toy_run("erm", folder_ / "other", std::make_shared<ToyDataset>(), RunMode::kNew, {"test_domain=blue"}));
  EXPECT_NE(refusal({"fds.judge=" + (folder_ / "other").string()}).find("held out, not 'red'"), std::string::npos);
  ASSERT_TRUE(toy_run("erm", folder_ / "split", std::make_shared<ToyDataset>(), RunMode::kNew, {"trial_seed=1"}));
  EXPECT_NE(refusal({"fds.judge=" + (folder_ / "split").string()}).find("another split"), std::string::npos);
  std::filesystem::copy(std::filesystem::path(toy_judge()) / "best.safetensors", folder_ / "alone.safetensors");
  EXPECT_NE(refusal({"fds.judge=" + (folder_ / "alone.safetensors").string()}).find("nobody can tell"),
            std::string::npos);
  EXPECT_THROW(run("wide", {"classifier.width=8"}), Error);  // the judge's network is another
}

TEST_F(FdsRun, PromptsThatNameTheTargetAndAMissingLdmAreRefused) {
  EXPECT_NE(refusal({"fds.prompt_template=red {domain}, {class}"}).find("red"), std::string::npos);
  EXPECT_NE(refusal({"fds.negative_prompt=red"}).find("red"), std::string::npos);
  EXPECT_NE(refusal({"ldm=\"\""}).find("pretrain"), std::string::npos);
  EXPECT_NE(refusal({"data.generated=" + folder_.path().string()}).find("data.generated"), std::string::npos);
}

TEST_F(FdsRun, RunsOfOtherTrainingSeedsFindTheirImagesInTheSharedStore) {
  ASSERT_TRUE(run("a", {shared()}));
  const auto first = provenance("shared");
  ASSERT_TRUE(run("b", {shared(), "seed=1"}));
  EXPECT_EQ(provenance("shared"), first);
  ASSERT_TRUE(run("own"));
  expect_same_run(folder_ / "own", folder_ / "a");
}

TEST_F(FdsRun, ARunWhoseImagesAreHalfThereMakesTheOthersAndChangesNoBit) {
  ASSERT_TRUE(run("whole"));
  // A store that is half there is what a kill leaves.
  std::filesystem::create_directories(folder_ / "shared");
  int left = 0;
  for (const auto& part : std::filesystem::directory_iterator(folder_ / "whole/candidates")) {
    if (part.path().filename().string().size() == 2 && ++left % 2 == 0)
      std::filesystem::copy(part.path(), folder_ / "shared" / part.path().filename());
  }
  ASSERT_TRUE(run("again", {shared()}));
  EXPECT_EQ(provenance("shared").size(), 12u);
  expect_same_run(folder_ / "whole", folder_ / "again");
}

// Its choice stands in the checkpoint: other images are not even missed.
TEST_F(FdsRun, AResumedRunTrainsOnWhatWasChosen) {
  ASSERT_TRUE(run("whole"));
  EXPECT_FALSE(toy_run("fds", folder_ / "run", stopped_at_read(40)));
  const TensorMap checkpoint = load_tensors(folder_ / "run/checkpoint.safetensors");
  const at::Tensor kept = checkpoint.at("algorithm.kept");
  EXPECT_EQ(kept.numel(), record("run", "fds").at("pairs")[0].at("kept").get<std::int64_t>());
  std::filesystem::remove_all(folder_ / "run/candidates");
  ASSERT_TRUE(run("run", {}, RunMode::kResume));
  expect_same_run(folder_ / "whole", folder_ / "run");
  EXPECT_EQ(std::ssize(provenance("run/candidates")), kept.numel());
}

TEST_F(FdsRun, ResumingWithAnotherLdmOrJudgeIsRefused) {
  EXPECT_FALSE(toy_run("fds", folder_ / "run", stopped_at_read(40)));
  EXPECT_NE(
      message_of<ConfigError>([&] { run("run", {"ldm=" + kTinySd21.string()}, RunMode::kResume); }).find("another LDM"),
      std::string::npos);
  const std::string judge = folder_ / "judge";
  std::filesystem::copy(toy_judge(), judge, std::filesystem::copy_options::recursive);
  EXPECT_FALSE(toy_run("fds", folder_ / "own", stopped_at_read(40), RunMode::kNew, {"fds.judge=" + judge}));
  std::filesystem::remove_all(judge);
  ASSERT_TRUE(toy_run("erm", judge, std::make_shared<ToyDataset>(), RunMode::kNew, {"seed=5"}));
  EXPECT_NE(
      message_of<ConfigError>([&] { run("own", {"fds.judge=" + judge}, RunMode::kResume); }).find("another judge"),
      std::string::npos);
}

TEST_F(FdsRun, ResumedBehindItsLastStepTheAverageIsTakenOverItsImagesToo) {
  const std::vector<std::string> averaging{"averaging.method=swad", "averaging.batch_norm_steps=3",
                                           "averaging.stop_when_dead=false", "checkpoint_frequency=1",
                                           "averaging.n_converge=2"};
  ASSERT_TRUE(run("run", averaging));
  const std::string before = read_file(folder_ / "run/swad.safetensors");
  ASSERT_TRUE(run("run", averaging, RunMode::kResume));
  EXPECT_TRUE(read_file(folder_ / "run/swad.safetensors") == before);
}

TEST_F(FdsRun, ItsPlanCountsWhatTheRunMakes) {
  RunSetup setup = toy_setup("fds");
  const PlannedWork work = setup.algorithm->planned_work(
      {.in_images = 32, .sources = 3, .classes = 2, .steps = 9, .steps_per_epoch = 4, .batch_size = 4});
  EXPECT_EQ(work.generated_images, 3 * 2 * 6);
  EXPECT_EQ(work.stored_images, 36);
  EXPECT_EQ(work.unet_images, 36 * 2 * 2);  // two steps, with guidance
  EXPECT_EQ(work.vae_images, 36);
  EXPECT_EQ(work.classifier_images, 36 + 3 * 3 * 4 * 9);
}

}  // namespace domainfusion
