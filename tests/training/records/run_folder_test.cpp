#include "domainfusion/training/records/run_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "training/toy_dataset.h"

namespace domainfusion {
namespace {

using nlohmann::json;

json description(double lr = 0.1) { return {{"config", {{"optimizer", {{"lr", lr}}}, {"loader", {{"workers", 2}}}}}}; }

}  // namespace

TEST(RunFolder, AnExistingRunIsKeptUnlessResumedOrOverwritten) {
  TemporaryFolder place;
  RunFolder(place / "run", RunMode::kNew, description()).write_record({{"type", "step"}, {"step", 0}});
  const std::string message = message_of<Error>([&] { RunFolder(place / "run", RunMode::kNew, description()); });
  EXPECT_NE(message.find("--resume"), std::string::npos) << message;
  EXPECT_NE(message.find("--overwrite"), std::string::npos) << message;
  EXPECT_TRUE(std::filesystem::exists(place / "run/records.jsonl"));
  RunFolder(place / "run", RunMode::kResume, description());
  EXPECT_TRUE(std::filesystem::exists(place / "run/records.jsonl"));
  RunFolder(place / "run", RunMode::kOverwrite, description());
  EXPECT_FALSE(std::filesystem::exists(place / "run/records.jsonl"));
}

TEST(RunFolder, OverwritingRemovesNothingThatIsNoRun) {
  TemporaryFolder place;
  std::filesystem::create_directory(place / "photos");
  std::ofstream(place / "photos/precious.jpg") << "x";
  EXPECT_THROW(RunFolder(place / "photos", RunMode::kOverwrite, description()), ConfigError);
  EXPECT_TRUE(std::filesystem::exists(place / "photos/precious.jpg"));
}

TEST(RunFolder, AResumedRunWithAnotherConfigurationIsRefusedNamingTheDifference) {
  TemporaryFolder place;
  RunFolder(place / "run", RunMode::kNew, description(0.1));
  const std::string message = message_of<Error>([&] { RunFolder(place / "run", RunMode::kResume, description(0.2)); });
  EXPECT_NE(message.find("config/optimizer/lr was 0.1, is 0.2"), std::string::npos) << message;
  json other_workers = description();
  other_workers["config"]["loader"]["workers"] = 7;
  EXPECT_EQ(message_of<Error>([&] { RunFolder(place / "run", RunMode::kResume, other_workers); }), "no error");
}

TEST(RunFolder, AnOptionThatAnOlderVersionDidNotKnowHadItsDefault) {
  TemporaryFolder place;
  RunFolder(place / "run", RunMode::kNew, description());
  const json defaults{{"config", {{"optimizer", {{"lr", 0.5}, {"momentum", 0}}}, {"layers", {1, 2}}}}};
  json newer = description();
  newer["config"]["optimizer"]["momentum"] = 0;
  newer["config"]["layers"] = {1, 2};
  EXPECT_EQ(message_of<Error>([&] { RunFolder(place / "run", RunMode::kResume, newer, defaults); }), "no error");
  newer["config"]["optimizer"]["momentum"] = 0.9;
  newer["config"]["layers"] = {1, 2, 3};
  const std::string message = message_of<Error>([&] { RunFolder(place / "run", RunMode::kResume, newer, defaults); });
  EXPECT_NE(message.find("momentum was 0, is 0.9"), std::string::npos) << message;
  EXPECT_NE(message.find("layers/2 was null, is 3"), std::string::npos) << message;
  EXPECT_EQ(message.find("lr was"), std::string::npos) << message;
}

TEST(RunFolder, BelowARegularFileIsAnErrorThatNamesTheFile) {
  TemporaryFolder place;
  std::ofstream(place / "file") << "x";
  for (const char* name : {"file", "file/run", "file/deep/run"}) {
    const std::string message = message_of<Error>([&] { RunFolder(place / name, RunMode::kNew, description()); });
    EXPECT_NE(message.find((place / "file").string() + "' is a file"), std::string::npos) << message;
  }
}

TEST(RunFolder, TwoProcessesCannotTrainInOneFolder) {
  TemporaryFolder place;
  const RunFolder first(place / "run", RunMode::kNew, description());
  EXPECT_THROW(RunFolder(place / "run", RunMode::kResume, description()), IoError);
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
