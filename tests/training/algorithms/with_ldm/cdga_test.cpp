#include "domainfusion/training/algorithms/with_ldm/cdga.h"

#include <gtest/gtest.h>

#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "domainfusion/io/files/atomic_file.h"
#include "tiny_models.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

class CdgaRun : public testing::Test {
 protected:
  bool run(const std::string& name, const std::vector<std::string>& overrides = {}, RunMode mode = RunMode::kNew) {
    return toy_run("cdga", folder_ / name, std::make_shared<ToyDataset>(), mode, overrides).has_value();
  }
  std::string refusal(const std::vector<std::string>& overrides) {
    return message_of<ConfigError>([&] { run(fmt::format("refused{}", refusals_++), overrides); });
  }
  std::vector<nlohmann::json> provenance(const std::string& store) {
    std::vector<nlohmann::json> lines;
    for_each_provenance(folder_ / store, [&](const nlohmann::json& line) { lines.push_back(line); });
    return lines;
  }
  std::string shared() const { return "candidates=" + (folder_ / "shared").string(); }
  TemporaryFolder folder_;
  int refusals_ = 0;
};

}  // namespace

TEST_F(CdgaRun, GeneratesEachInImageTowardsTheOtherSourceAndNothingOfOrTowardsTheTarget) {
  ASSERT_TRUE(run("run"));
  const auto lines = provenance("run/candidates");
  EXPECT_EQ(lines.size(), 2u * 16);
  for (const auto& line : lines) {
    const std::string parent = line.at("parent"), prompt = line.at("key").at("prompt");
    EXPECT_EQ(parent.find("red"), std::string::npos);
    EXPECT_EQ(prompt.find("red"), std::string::npos);
    EXPECT_NE(prompt.find(parent.starts_with("blue") ? ", green" : ", blue"), std::string::npos) << prompt;
  }
  EXPECT_EQ(keys_in_list(folder_ / "run/candidates.jsonl").size(), 32u);
}

// Half of what a step sees was made, and is not what training accuracy counts.
TEST_F(CdgaRun, TrainingAccuracyCountsSourceImagesAndNoTranslations) {
  ASSERT_TRUE(run("run"));
  std::int64_t records = 0;
  for (const auto& record : read_json_lines(folder_ / "run/records.jsonl")) {
    if (record.at("type") != "fit") continue;
    ++records;
    EXPECT_GT(record.at("images"), 0);
    EXPECT_LT(record.at("images"), 32) << "four steps of eight images";
  }
  EXPECT_EQ(records, 1);
}

TEST_F(CdgaRun, TheStarredVariantAndPromptsThatNameTheTargetAreRefused) {
  EXPECT_NE(refusal({"cdga.towards=[\"red\"]"}).find("CDGA*"), std::string::npos);
  EXPECT_NE(refusal({"cdga.towards=[\"blue\", \"RED\"]"}).find("CDGA*"), std::string::npos);
  EXPECT_NE(refusal({"cdga.prompt_template=a red {class}, {domain}"}).find("red"), std::string::npos);
  EXPECT_NE(refusal({"cdga.negative_prompt=red"}).find("red"), std::string::npos);
  EXPECT_NE(refusal({"cdga.towards=[\"gren\"]"}).find("green"), std::string::npos);
  EXPECT_NE(refusal({"cdga.models=[\"red=" + kTinySd15.string() + "\"]"}).find("CDGA*"), std::string::npos);
  EXPECT_NE(refusal({"cdga.models=[\"green\"]"}).find("DOMAIN=FOLDER"), std::string::npos);
  EXPECT_NE(refusal({"ldm=\"\""}).find("pretrain"), std::string::npos);
}

TEST_F(CdgaRun, StylesAreFurtherDestinationsAndTheirWordsAreRecorded) {
  write_file_atomically(folder_ / "words.json",
                        R"({"domains": [{"name": "red", "near": ["crimson", "rose madder"]}]})");
  write_file_atomically(folder_ / "styles.txt", "mosaic\ncrimson glaze\nblue\n");
  const std::string words = "data.descriptions=" + (folder_ / "words.json").string();
  EXPECT_NE(refusal({words, "cdga.styles=[\"rose madder wash\"]"}).find("cdga.near_styles"), std::string::npos);
  EXPECT_NE(refusal({"cdga.styles=[\"Reds\"]"}).find("names the held-out domain"), std::string::npos);
  ASSERT_TRUE(run("run", {words, "cdga.styles=[\"neon\", \"@" + (folder_ / "styles.txt").string() + "\"]"}));
  EXPECT_EQ(provenance("run/candidates").size(), 2u * 16 + 2 * 32);
  std::vector<nlohmann::json> records;
  for (const auto& record : read_json_lines(folder_ / "run/records.jsonl"))
    if (record.at("type") == "styles") records.push_back(record);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].at("option"), "cdga.styles");
  EXPECT_EQ(records[0].at("used"), (std::vector<std::string>{"neon", "mosaic"}));
  EXPECT_EQ(records[0].at("left_out").size(), 2u);
  EXPECT_EQ(records[0].at("near_styles"), "refuse");
}

TEST_F(CdgaRun, RunsOfOtherTrainingSeedsFindTheirImagesInTheSharedStore) {
  ASSERT_TRUE(run("a", {shared()}));
  const auto first = provenance("shared");
  ASSERT_TRUE(run("b", {shared(), "seed=1"}));
  EXPECT_EQ(provenance("shared"), first);
  ASSERT_TRUE(run("c", {shared(), "cdga.seed=1"}));
  EXPECT_EQ(provenance("shared").size(), 2 * first.size());
}

TEST_F(CdgaRun, AStoreElsewhereChangesNoBit) {
  ASSERT_TRUE(run("own"));
  ASSERT_TRUE(run("shared1", {shared()}));
  ASSERT_TRUE(run("shared2", {shared()}));
  expect_same_run(folder_ / "own", folder_ / "shared1");
  expect_same_run(folder_ / "own", folder_ / "shared2");
}

TEST_F(CdgaRun, ARunStoppedInsideTheGenerationGoesOnWhereItWas) {
  ASSERT_TRUE(run("whole"));
  const std::vector<std::string> slow{"cdga.batch_images=2", "loader.workers=0"};
  EXPECT_FALSE(toy_run("cdga", folder_ / "run", stopped_at_read(7), RunMode::kResume, slow));
  const std::size_t made = provenance("run/candidates").size();
  EXPECT_GE(made, 6u);
  EXPECT_LT(made, 16u);
  ASSERT_TRUE(run("run", slow, RunMode::kResume));
  expect_same_run(folder_ / "whole", folder_ / "run");
}

TEST_F(CdgaRun, TheGeneratedImagesAreLearntFrom) {
  ASSERT_TRUE(toy_run("erm", folder_ / "erm", std::make_shared<ToyDataset>()));
  ASSERT_TRUE(run("cdga"));
  EXPECT_FALSE(read_file(folder_ / "erm/best.safetensors") == read_file(folder_ / "cdga/best.safetensors"));
}

TEST_F(CdgaRun, ResumingWithAnotherLdmIsRefused) {
  EXPECT_FALSE(toy_run("cdga", folder_ / "run", stopped_at_read(7), RunMode::kNew));
  EXPECT_NE(
      message_of<ConfigError>([&] { run("run", {"ldm=" + kTinySd21.string()}, RunMode::kResume); }).find("another LDM"),
      std::string::npos);
}

TEST_F(CdgaRun, ResumedBehindItsLastStepTheAverageIsTakenOverGeneratedImagesToo) {
  const std::vector<std::string> averaging{shared(),
                                           "averaging.method=swad",
                                           "averaging.batch_norm_steps=3",
                                           "averaging.stop_when_dead=false",
                                           "checkpoint_frequency=1",
                                           "averaging.n_converge=2"};
  ASSERT_TRUE(run("run", averaging));
  const std::string before = read_file(folder_ / "run/swad.safetensors");
  ASSERT_TRUE(run("run", averaging, RunMode::kResume));
  EXPECT_TRUE(read_file(folder_ / "run/swad.safetensors") == before);
}

TEST_F(CdgaRun, TwoModelsForOneDomainAndOthersOnResumeAreRefused) {
  const std::string green = "\"green=" + kTinySd21.string() + "\"";
  EXPECT_NE(refusal({"cdga.models=[" + green + "," + green + "]"}).find("a second model for 'green'"),
            std::string::npos);
  const std::string model = folder_ / "green";
  std::filesystem::copy(kTinySd21, model, std::filesystem::copy_options::recursive);
  const std::vector<std::string> options{"cdga.models=[\"green=" + model + "\"]"};
  ASSERT_TRUE(run("run", options));
  std::filesystem::remove_all(model);
  std::filesystem::copy(kTinySd15, model, std::filesystem::copy_options::recursive);
  EXPECT_NE(message_of<ConfigError>([&] { run("run", options, RunMode::kResume); }).find("cdga.models"),
            std::string::npos);
}

TEST_F(CdgaRun, ADomainsOwnModelCanTranslateToItUnderTheEmptyPrompt) {
  ASSERT_TRUE(run("own", {shared(), "cdga.models=[\"green=" + kTinySd21.string() + "\"]",
                          "cdga.prompt_template=", "cdga.guidance_scale=1"}));
  std::map<std::string, std::set<std::string>> weights_of;
  for (const auto& line : provenance("shared")) {
    EXPECT_EQ(line.at("key").at("prompt"), "");
    weights_of[line.at("key").at("noise").at("towards")].insert(line.at("key").at("ldm"));
  }
  ASSERT_EQ(weights_of.size(), 2u);
  EXPECT_EQ(weights_of.begin()->second.size(), 1u);
  EXPECT_NE(weights_of.begin()->second, weights_of.rbegin()->second);
}

TEST(DomainFusionCandidates, RoundsShareAStoreAndChangeNoBit) {
  const TemporaryFolder folder;
  const std::string shared = "candidates=" + (folder / "shared").string();
  const auto run = [&](const std::string& name, const std::vector<std::string>& overrides) {
    ASSERT_TRUE(toy_run("domainfusion", folder / name, std::make_shared<ToyDataset>(), RunMode::kNew, overrides));
  };
  run("plain", {});
  run("first", {shared});
  const std::set<std::string> used = keys_in_list(folder / "first/candidates.jsonl");
  EXPECT_EQ(verify_store(folder / "shared").entries, static_cast<std::int64_t>(used.size()));
  run("second", {shared, "optimizer.lr=0.001"});
  EXPECT_EQ(keys_in_list(folder / "second/candidates.jsonl"), used);
  EXPECT_EQ(verify_store(folder / "shared").entries, static_cast<std::int64_t>(used.size()));
  expect_same_run(folder / "plain", folder / "first");
  // Other training seeds draw other noise, unless the rounds have a seed of their own.
  run("fixed", {shared, "augmentation.seed=9"});
  const std::set<std::string> of_seed_nine = keys_in_list(folder / "fixed/candidates.jsonl");
  EXPECT_NE(of_seed_nine, used);
  run("other", {shared, "augmentation.seed=9", "seed=1"});
  EXPECT_EQ(keys_in_list(folder / "other/candidates.jsonl"), of_seed_nine);
}

}  // namespace domainfusion
