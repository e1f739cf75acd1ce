#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

class TrainingRun : public testing::Test {
 protected:
  void SetUp() override { shell_.make_set(); }
  void expect_success(const CommandResult& result) { ASSERT_EQ(result.exit_code, 0) << result.err; }
  void expect_same_run(const std::string& a, const std::string& b) {
    for (const char* file : {"/checkpoint.safetensors", "/best.safetensors", "/records.jsonl"}) {
      EXPECT_TRUE(CommandLine::text(shell_ / (a + file)) == CommandLine::text(shell_ / (b + file))) << file;
    }
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(TrainingRun, GoesFromImagesToATableOfResults) {
  const CommandResult trained = shell_.run(CommandLine::tiny_run("--out run"));
  expect_success(trained);
  EXPECT_NE(trained.out.find("erm on 'sketch', never seen in training"), std::string::npos) << trained.out;
  EXPECT_NE(trained.out.find("\ntraining accuracy of the last epoch: "), std::string::npos) << trained.out;
  EXPECT_NE(trained.out.find("\nunder-fitted: training accuracy "), std::string::npos) << trained.out;
  const CommandResult evaluated = shell_.run("evaluate run");
  EXPECT_EQ(evaluated.out, trained.out);
  const CommandResult anew = shell_.run("evaluate run --domain sketch --split in");
  expect_success(anew);
  EXPECT_NE(anew.out.find("16 images of 'sketch'"), std::string::npos) << anew.out;
  expect_success(shell_.run(CommandLine::tiny_run("--out run2 --set seed=1")));
  const CommandResult table = shell_.run("evaluate run run2 --markdown --cost");
  EXPECT_NE(table.out.find("±"), std::string::npos) << table.out;
  for (const char* head : {"| accuracy, % | sketch |", "\n\n| source validation, % | sketch |",
                           "\n\n| system | runs | training accuracy, % | images generated | time |", "\n| erm * |",
                           "\n\n\\* under-fitted"}) {
    EXPECT_NE(table.out.find(head), std::string::npos) << head << "\n" << table.out;
  }
  const CommandResult tables = shell_.run("tables run run2");
  EXPECT_NE(tables.out.find("say little there):\n  set, ERM: 2 of 2 finished runs\n"), std::string::npos) << tables.out;
}

TEST_F(TrainingRun, PredictsPicturesAsJsonLines) {
  expect_success(shell_.run(CommandLine::tiny_run("--out run")));
  const CommandResult result = shell_.run("predict run set/sketch/cat/0.png set/photo/dog/1.png");
  expect_success(result);
  std::istringstream lines(result.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto prediction = nlohmann::json::parse(line);
    const auto& all = prediction.at("probabilities");
    EXPECT_NEAR(all.at("cat").get<double>() + all.at("dog").get<double>(), 1, 1e-5);
    EXPECT_EQ(all.at(prediction.at("class").get<std::string>()), prediction.at("probability"));
  }
  EXPECT_EQ(count, 2);
}

TEST_F(TrainingRun, AKilledRunContinuesToTheBitsOfAnUninterruptedOne) {
  const std::string longer = "--set steps=24 --set checkpoint_frequency=6 ";
  expect_success(shell_.run(CommandLine::tiny_run(longer + "--out whole")));
  for (const int signal : {SIGKILL, SIGTERM, SIGINT}) {
    const std::string run = "killed" + std::to_string(signal);
    EXPECT_TRUE(shell_.kill_when_exists(CommandLine::tiny_run(longer + "--out " + run), run + "/checkpoint.safetensors",
                                        signal));
    expect_success(shell_.run(CommandLine::tiny_run(longer + "--resume --out " + run)));
    expect_same_run("whole", run);
  }
}

TEST_F(TrainingRun, NothingIsLostWithoutBeingAsked) {
  expect_success(shell_.run(CommandLine::tiny_run("--out run")));
  const std::string before = CommandLine::text(shell_ / "run/checkpoint.safetensors");
  const CommandResult again = shell_.run(CommandLine::tiny_run("--out run"));
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_NE(again.err.find("--overwrite"), std::string::npos) << again.err;
  const CommandResult other = shell_.run(CommandLine::tiny_run("--resume --set optimizer.lr=0.5 --out run"));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_NE(other.err.find("optimizer/lr was 0.003, is 0.5"), std::string::npos) << other.err;
  EXPECT_TRUE(before == CommandLine::text(shell_ / "run/checkpoint.safetensors"));
  expect_success(shell_.run(CommandLine::tiny_run("--overwrite --out run")));
}

TEST_F(TrainingRun, HelpNamesDefaultsAndRanges) {
  EXPECT_NE(shell_.run("--help").out.find("143: SIGTERM"), std::string::npos);
  const CommandResult help = shell_.run("train --help");
  expect_success(help);
  EXPECT_NE(help.out.find("optimizer.lr"), std::string::npos);
  EXPECT_NE(help.out.find("default 5e-05"), std::string::npos) << help.out;
  EXPECT_NE(help.out.find("erm.batch_multiplier"), std::string::npos);
  EXPECT_NE(help.out.find("range 1 … 64"), std::string::npos);
  for (const char* kind : {"algorithms", "averaging", "backbones", "datasets", "schedulers", "decompositions"}) {
    const CommandResult list = shell_.run(std::string("inspect ") + kind);
    expect_success(list);
    EXPECT_FALSE(list.out.empty());
  }
}

}  // namespace domainfusion
