#include "domainfusion/training/records/run_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "training/toy_dataset.h"

namespace domainfusion {
namespace {

using nlohmann::json;

json description(double lr = 0.1) { return {{"config", {{"optimizer", {{"lr", lr}}}, {"loader", {{"workers", 2}}}}}}; }

json with_steps(std::int64_t steps) {
  json all = description();
  all["config"]["steps"] = steps;
  return all;
}

json with_provenance(const json& provenance) {
  json all = description();
  all["provenance"] = provenance;
  return all;
}

void make_run(const std::filesystem::path& path, const json& description, RunMode mode = RunMode::kNew) {
  RunFolder folder(path, mode, description);
  folder.write_record({{"type", "step"}, {"step", 0}});
  folder.keep();
}

std::string resume_refusal(const std::filesystem::path& path, const json& description, ResumeRules rules = {}) {
  return message_of<Error>([&] { RunFolder(path, RunMode::kResume, description, rules); });
}

}  // namespace

TEST(RunFolder, AResumedRunKeepsItsRecordsAndAnOverwrittenOneLosesThem) {
  TemporaryFolder place;
  make_run(place / "run", description());
  EXPECT_EQ(resume_refusal(place / "run", description()), "no error");
  EXPECT_TRUE(std::filesystem::exists(place / "run/records.jsonl"));
  RunFolder(place / "run", RunMode::kOverwrite, description()).keep();
  EXPECT_FALSE(std::filesystem::exists(place / "run/records.jsonl"));
}

TEST(RunFolder, AResumedRunWithAnotherConfigurationIsRefusedNamingTheDifference) {
  TemporaryFolder place;
  make_run(place / "run", description(0.1));
  const std::string message = resume_refusal(place / "run", description(0.2));
  EXPECT_NE(message.find("config/optimizer/lr was 0.1, is 0.2"), std::string::npos) << message;
  json other_workers = description();
  other_workers["dataset"] = "set";  // once "" where the images were named as "."
  other_workers["config"]["loader"]["workers"] = 7;
  EXPECT_EQ(resume_refusal(place / "run", other_workers), "no error");
}

TEST(RunFolder, AnOptionThatAnOlderVersionDidNotKnowHadItsDefault) {
  TemporaryFolder place;
  make_run(place / "run", description());
  const ResumeRules rules{{{"config", {{"optimizer", {{"lr", 0.5}, {"momentum", 0}}}, {"layers", {1, 2}}}}}};
  json newer = description();
  newer["config"]["optimizer"]["momentum"] = 0.9;
  newer["config"]["layers"] = {1, 2, 3};
  const std::string message = resume_refusal(place / "run", newer, rules);
  EXPECT_NE(message.find("momentum was 0, is 0.9"), std::string::npos) << message;
  EXPECT_NE(message.find("layers/2 was null, is 3"), std::string::npos) << message;
  EXPECT_EQ(message.find("lr was"), std::string::npos) << message;
  newer["config"]["optimizer"]["momentum"] = 0;
  newer["config"]["layers"] = {1, 2};
  EXPECT_EQ(resume_refusal(place / "run", newer, rules), "no error");
}

TEST(RunFolder, OtherImagesAreRefusedAndTheProvenanceOfTheStartStays) {
  TemporaryFolder place;
  const json before{{"code", "a"}, {"data_hash", "d1"}, {"weights_hash", "w1"}, {"ldm_hash", "l1"}};
  make_run(place / "run", with_provenance(before));
  json now = before;
  now["data_hash"] = "d2";
  const std::string message = resume_refusal(place / "run", with_provenance(now));
  EXPECT_NE(message.find("other images (data_hash was \"d1\", is \"d2\")"), std::string::npos) << message;
  now = before;
  now["weights_hash"] = "w2";
  EXPECT_NE(resume_refusal(place / "run", with_provenance(now)).find("weights_hash"), std::string::npos);
  place.write("run/checkpoint.safetensors", "holds them");
  now["code"] = "b";
  now["ldm_hash"] = "l2";
  now["new_hash"] = "n";
  EXPECT_EQ(resume_refusal(place / "run", with_provenance(now)), "no error");
  json kept = before;
  kept["new_hash"] = "n";
  EXPECT_EQ(read_run_description(place / "run").at("provenance"), kept);
}

TEST(RunFolder, ARunGetsMoreStepsWhereNothingIsPlannedOverAllOfThem) {
  TemporaryFolder place;
  make_run(place / "run", with_steps(9));
  EXPECT_NE(resume_refusal(place / "run", with_steps(8)).find("steps was 9, is 8"), std::string::npos);
  const std::string fixed = resume_refusal(place / "run", with_steps(12),
                                           {.fixed_length = "optimizer.decay is spread over all of its steps"});
  EXPECT_NE(fixed.find("steps was 9, is 12; it cannot get more steps: optimizer.decay"), std::string::npos) << fixed;
  EXPECT_EQ(RunFolder(place / "run", RunMode::kResume, with_steps(12)).earlier_ends(), std::vector<std::int64_t>{9});
  EXPECT_EQ(RunFolder(place / "run", RunMode::kResume, with_steps(12)).earlier_ends(), std::vector<std::int64_t>{9});
  json epochs = with_steps(12);
  epochs["config"]["epochs"] = 3;
  EXPECT_NE(resume_refusal(place / "run", epochs, {.steps_per_epoch = 4}).find("epochs was null, is 3"),
            std::string::npos);
  EXPECT_EQ(RunFolder(place / "run", RunMode::kResume, epochs, {.steps_per_epoch = 5}).earlier_ends(),
            (std::vector<std::int64_t>{9, 12}));
  // The same run again, from its first step: it is validated where the other was.
  const json longer = read_run_description(place / "run");
  EXPECT_EQ(RunFolder(place / "again", RunMode::kNew, longer).earlier_ends(), (std::vector<std::int64_t>{9, 12}));
}

TEST(RunFolder, BelowARegularFileIsAnErrorThatNamesTheFile) {
  TemporaryFolder place;
  std::ofstream(place / "file") << "x";
  for (const char* name : {"file", "file/run", "file/deep/run"}) {
    const std::string message = message_of<Error>([&] { RunFolder(place / name, RunMode::kNew, description()); });
    EXPECT_NE(message.find((place / "file").string() + "' is a file"), std::string::npos) << message;
  }
}

TEST(RunFolder, RewindingDropsWhatWillBeWrittenAgain) {
  TemporaryFolder place;
  RunFolder folder(place / "run", RunMode::kNew, description());
  for (const json& record : {json{{"type", "step"}, {"step", 0}}, json{{"type", "validation"}, {"step", 1}},
                             json{{"type", "round"}, {"step", 1}}, json{{"type", "step"}, {"step", 1}},
                             json{{"type", "validation"}, {"step", 2}}, json{{"type", "test"}, {"step", 1}}}) {
    folder.write_record(record);
  }
  folder.rewind_records(1);
  folder.write_record({{"type", "step"}, {"step", 1}});
  const auto records = read_json_lines(place / "run/records.jsonl");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].at("type"), "validation");
  EXPECT_EQ(records[2].at("type"), "step");
}

}  // namespace domainfusion
