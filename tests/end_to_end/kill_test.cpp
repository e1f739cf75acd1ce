// Runs that are killed over and over end with the bits of one that was left alone.
#include <gtest/gtest.h>

#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kKills = 20;

class KilledRun : public testing::Test {
 protected:
  void SetUp() override { shell_.make_set(); }

  // With averaging, so that its state is in the checkpoints too; every step counts as a moment to die in.
  static std::string arguments(const std::string& run, const std::string& more = "") {
    return CommandLine::tiny_run(
        "--set steps=41 --set checkpoint_frequency=3 --set averaging.method=swad "
        "--set averaging.stop_when_dead=false --set averaging.batch_norm_steps=4 --resume --out " +
        run + " " + more);
  }
  void expect_same_run(const std::string& a, const std::string& b) {
    for (const char* file : {"/checkpoint.safetensors", "/best.safetensors", "/swad.safetensors", "/records.jsonl"}) {
      EXPECT_TRUE(CommandLine::text(shell_ / (a + file)) == CommandLine::text(shell_ / (b + file))) << b << file;
    }
  }
  std::chrono::duration<double> time_of_whole_run() {
    const auto start = Clock::now();
    EXPECT_EQ(shell_.run(arguments("whole")).exit_code, 0);
    return Clock::now() - start;
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(KilledRun, EndsWithTheSameBitsAfterTwentyKillsAtRandomMomentsWhateverTheNumberOfLoaderThreads) {
  const auto whole = time_of_whole_run();
  RandomStream draws(7, "kill");
  int kills = 0, runs = 0;
  for (int start = 0; kills < kKills; ++start) {
    const std::string run = "killed" + std::to_string(runs);
    // Every second start also writes a checkpoint after each step.
    const std::string workers =
        "--set loader.workers=" + std::to_string(start % 4) + (start % 2 ? " --set checkpoint_minutes=1e-9" : "");
    const auto death = Clock::now() + draws.uniform(0.1, 1.0) * whole;
    if (shell_.kill_when(
            arguments(run, workers), [&] { return Clock::now() >= death; }, SIGKILL)) {
      ++kills;
    } else {
      expect_same_run("whole", run);
      ++runs;
    }
  }
  const std::string last = "killed" + std::to_string(runs);
  EXPECT_EQ(shell_.run(arguments(last)).exit_code, 0);
  expect_same_run("whole", last);
}

TEST_F(KilledRun, OfSigtermWritesACheckpointAndSaysSoByItsExitCode) {
  const auto some_steps = [&] { return CommandLine::text(shell_ / "run/records.jsonl").size() > 500; };
  const auto status = shell_.kill_when(arguments("run"), some_steps, SIGTERM);
  ASSERT_TRUE(status) << "the run ended before the signal";
  EXPECT_TRUE(WIFEXITED(*status));
  EXPECT_EQ(WEXITSTATUS(*status), 128 + SIGTERM);
  ASSERT_TRUE(std::filesystem::exists(shell_ / "run/checkpoint.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(shell_ / "run/swad.safetensors"));
  EXPECT_EQ(shell_.run(arguments("run")).exit_code, 0);
  EXPECT_EQ(shell_.run(arguments("whole")).exit_code, 0);
  expect_same_run("whole", "run");
}

}  // namespace domainfusion
