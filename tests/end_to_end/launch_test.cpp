// Several processes that train together, and what becomes of them when one is lost.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "domainfusion/io/files/json_lines.h"
#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class LaunchCommand : public testing::Test {
 protected:
  void SetUp() override {
    shell_.make_set();
    if (shell_.run("launch -n 2 -- train --help").err.find("libgloo-dev") != std::string::npos)
      GTEST_SKIP() << "a build without ranks";
  }
  static std::string train(const std::string& out, const std::string& more = "") {
    return CommandLine::tiny_run("--resume --out " + out + " " + more);
  }
  CommandResult succeed(const std::string& arguments) {
    CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
    return result;
  }
  // The losses of the steps.
  std::vector<double> losses(const std::string& run) {
    std::vector<double> list;
    for (const auto& record : read_json_lines((shell_ / run) / "records.jsonl")) {
      if (record.at("type") == "step") list.push_back(record.at("loss"));
    }
    return list;
  }
  void expect_equal_runs(const std::string& a, const std::string& b) {
    const auto of_a = losses(a), of_b = losses(b);
    ASSERT_EQ(of_a.size(), of_b.size());
    for (std::size_t i = 0; i < of_a.size(); ++i) EXPECT_NEAR(of_a[i], of_b[i], 1e-4) << i;
  }
  // The processes of this test's runs but the launcher, by the rank that their environment names.
  std::map<std::string, pid_t> ranks_of(const std::string& run) {
    std::map<std::string, pid_t> ranks;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      if (CommandLine::text(entry.path() / "cmdline").find((shell_ / run).string()) == std::string::npos) continue;
      const std::string variables = CommandLine::text(entry.path() / "environ");
      for (const char* rank : {"0", "1", "2"}) {
        if (variables.find("RANK=" + std::string(rank) + '\0') != std::string::npos &&
            variables.find(std::string("\0RANK=", 6) + rank) != std::string::npos)
          ranks[rank] = std::stoi(name);
      }
    }
    return ranks;
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(LaunchCommand, TwoProcessesTrainAsOneAndTheFirstWritesTheRun) {
  succeed(train("one"));
  const CommandResult result = succeed("launch -n 2 -- " + train("two"));
  EXPECT_NE(result.out.find("never seen in training"), std::string::npos) << result.out;
  expect_equal_runs("one", "two");
  EXPECT_FALSE(fs::exists(shell_ / "two/ranks"));
  // One process goes on with what two have begun.
  succeed("launch -n 2 -- " + train("more"));
  succeed(train("more", "--set steps=12"));
  succeed(train("one", "--set steps=12"));
  expect_equal_runs("one", "more");
}

TEST_F(LaunchCommand, ExactSumsGiveTheSameBitsForOneTwoAndFourProcesses) {
  const std::string exact = "--set sum=exact --set classifier.dropout=0.2 ";
  succeed(train("one", exact));
  succeed("launch -n 2 -- " + train("two", exact));
  succeed("launch -n 4 -- " + train("four", exact));
  for (const char* run : {"two", "four"}) {
    for (const char* file : {"checkpoint.safetensors", "best.safetensors", "records.jsonl"}) {
      EXPECT_TRUE(CommandLine::text((shell_ / "one") / file) == CommandLine::text((shell_ / run) / file))
          << run << file;
    }
  }
  succeed(train("plain"));
  EXPECT_EQ(shell_.run("launch -n 3 -- " + train("three", exact)).exit_code, 2);
}

TEST_F(LaunchCommand, TellsWhichRankFailedFirstAndWhatItSaid) {
  const CommandResult options = shell_.run("launch -n 2 -- " + train("run", "--set steps=no"));
  EXPECT_EQ(options.exit_code, 2) << options.err;
  EXPECT_NE(options.err.find("steps"), std::string::npos);
  const CommandResult command = shell_.run("launch -n 2 -- trains");
  EXPECT_EQ(command.exit_code, 2) << command.err;
  EXPECT_NE(shell_.run("launch -n 2").err.find("command is required"), std::string::npos);
  EXPECT_EQ(shell_.run("launch -n 2 --nodes 2 -- train").exit_code, 2);
}

TEST_F(LaunchCommand, AKilledRankEndsTheOthersByNameAndTheRunGoesOnWithFewer) {
  const std::string run = (shell_ / "killed").string();
  const std::string more = "--set steps=4000 --set checkpoint_frequency=20 ";
  std::thread killer([&] {
    while (!fs::exists(shell_ / "killed/checkpoint.safetensors"))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const auto ranks = ranks_of("killed");
    ASSERT_EQ(ranks.count("1"), 1u);
    ::kill(ranks.at("1"), SIGKILL);
  });
  const CommandResult result = shell_.run("--timeout 20 launch -n 3 -- " + train("'" + run + "'", more));
  killer.join();
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_NE(result.err.find("rank 1 was ended by signal 9"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("rank 1 is lost"), std::string::npos) << result.err;  // rank 0 says so
  EXPECT_TRUE(ranks_of("killed").empty());
  const auto before = losses("killed").size();
  EXPECT_LT(before, 4000u);
  const CommandResult again =
      shell_.run("launch -n 2 -- " + train("'" + run + "'", more + "--set steps=4001"), "timeout -s TERM 10");
  EXPECT_GT(losses("killed").size(), before / 2) << again.err;
  EXPECT_NE(again.err.find("resumed at step"), std::string::npos) << again.err;
}

TEST_F(LaunchCommand, ASignalStopsAllRanksWithACheckpoint) {
  const std::string more = "--set steps=4000 --set checkpoint_frequency=2000 ";
  const auto some_steps = [&] { return CommandLine::text(shell_ / "run/records.jsonl").size() > 500; };
  const auto status =
      shell_.kill_when("launch -n 2 -- " + train("'" + (shell_ / "run").string() + "'", more), some_steps, SIGTERM);
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFEXITED(*status));
  EXPECT_EQ(WEXITSTATUS(*status), 128 + SIGTERM);
  EXPECT_TRUE(fs::exists(shell_ / "run/checkpoint.safetensors"));
  EXPECT_TRUE(ranks_of("run").empty());
}

TEST_F(LaunchCommand, AKilledLauncherLeavesNoOrphans) {
  const std::string more = "--set steps=100000 --set checkpoint_frequency=50000 ";
  const auto some_steps = [&] { return CommandLine::text(shell_ / "run/records.jsonl").size() > 500; };
  ASSERT_TRUE(
      shell_.kill_when("launch -n 2 -- " + train("'" + (shell_ / "run").string() + "'", more), some_steps, SIGKILL));
  for (int i = 0; i < 600 && !ranks_of("run").empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(ranks_of("run").empty());
}

TEST_F(LaunchCommand, TwoHostsTrainTogetherAndOneThatIsCutOffIsNamed) {
  const std::string line = "'" DOMAINFUSION_TEST_DIR "/end_to_end/network_namespaces' '" DOMAINFUSION_BINARY "' '" +
                           (shell_ / ".").string() + "' >'" + (shell_ / "hosts.txt").string() + "' 2>&1";
  const int status = std::system(line.c_str());
  const std::string said = CommandLine::text(shell_ / "hosts.txt");
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "left out: " << said;
  EXPECT_EQ(WEXITSTATUS(status), 0) << said;
}

}  // namespace domainfusion
