#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>

#include "domainfusion/io/files/json_lines.h"
#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

class SweepCommand : public testing::Test {
 protected:
  void SetUp() override { shell_.make_set(); }
  // `tiny_run` names one target; a sweep names them all.
  static std::string tiny_sweep(const std::string& more) {
    std::string options = CommandLine::tiny_run("");
    options.erase(0, options.find("--set"));
    return "sweep --data set --out sweep " + options + more;
  }
  void expect_success(const CommandResult& result) { ASSERT_EQ(result.exit_code, 0) << result.err; }
  std::size_t finished_runs() const {
    std::size_t count = 0;
    for (const auto& run : std::filesystem::directory_iterator(shell_ / "sweep/runs")) {
      count += CommandLine::text(run.path() / "records.jsonl").find("\"type\":\"test\"") != std::string::npos;
    }
    return count;
  }
  static std::string with_environments(std::string text) {
    for (const auto& [from, to] : {std::pair{"cartoon", "env0"}, {"photo", "env1"}, {"sketch", "env2"}}) {
      for (auto at = text.find(from); at != std::string::npos; at = text.find(from))
        text.replace(at, std::strlen(from), to);
    }
    return text;
  }
  // DomainBed's rules, restated in Python, read the exported folder and find the figures of `csv`.
  void expect_same_in_python(const std::string& folder, const std::string& rule, const std::string& csv) const {
    const std::string script =
        std::string("python3 '") + DOMAINFUSION_TEST_DIR + "/end_to_end/domainbed_selection.py' '";
    const std::string out = (shell_ / "python.csv").string();
    const int status = std::system((script + (shell_ / folder).string() + "' " + rule + " >'" + out + "'").c_str());
    if (WEXITSTATUS(status) == 127) return void(std::cerr << "no python3: its reading of the folder is left out\n");
    ASSERT_EQ(status, 0);
    std::istringstream theirs(CommandLine::text(out)), ours(csv);
    std::string head;
    std::getline(ours, head);
    int compared = 0;
    for (std::string a, b; std::getline(theirs, a) && std::getline(ours, b); ++compared) {
      char name_a[16], name_b[16];
      double mean_a, error_a, mean_b, error_b;
      ASSERT_EQ(std::sscanf(a.c_str(), "%15[^,],%lf,%lf", name_a, &mean_a, &error_a), 3) << a;
      ASSERT_EQ(std::sscanf(b.c_str(), "ERM,%15[^,],%lf,%lf", name_b, &mean_b, &error_b), 3) << b;
      EXPECT_STREQ(name_a, name_b);
      EXPECT_NEAR(mean_a, mean_b, 1e-5);
      EXPECT_NEAR(error_a, error_b, 1e-5);
    }
    EXPECT_EQ(compared, 3);
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(SweepCommand, ATableHasItsSystemsInOrderAndSaysWhatIsLeftOut) {
  std::ofstream(shell_ / "table.toml")
      << "[[systems]]\nname = \"swad\"\ngroup = \"averaged\"\naveraging.method = \"swad\"\n"
         "[[systems]]\nname = \"coral\"\ngroup = \"aligned\"\nalgorithm = \"coral\"\n"
         "[[systems]]\nname = \"cdga\"\ngroup = \"generated\"\nalgorithm = \"cdga\"\n";
  const std::string command = tiny_sweep("--recipe table.toml --trials 1 --targets sketch --ldm 'ldm/{target}'");
  const CommandResult table = shell_.run(command);
  expect_success(table);
  std::size_t last = 0;
  for (const char* row : {"[averaged]", "\nERM ", "\nERM + swad", "[aligned]", "\nCORAL", "[generated]", "\ncdga"}) {
    const std::size_t place = table.out.find(row);
    ASSERT_NE(place, std::string::npos) << row << "\n" << table.out;
    EXPECT_GT(place, last) << row << "\n" << table.out;
    last = place;
  }
  EXPECT_NE(table.out.find("time of a run"), std::string::npos);
  EXPECT_NE(table.err.find("1 runs are left out, there is no '" + (shell_ / "ldm/sketch").string() + "': cdga."),
            std::string::npos)
      << table.err;
  EXPECT_NE(table.out.find("cdga, sketch, trial 0: hparams 0 not started"), std::string::npos) << table.out;
  EXPECT_EQ(shell_.run("tables --cost sweep").out, table.out);
  const CommandResult again = shell_.run(command);
  EXPECT_NE(again.err.find("2 of 2 runs are finished, 2 of them before"), std::string::npos) << again.err;
  EXPECT_EQ(shell_.run(command + " --algorithm erm").exit_code, 2);
}

TEST_F(SweepCommand, TrainsEveryTargetAndTrialAndPrintsTheirTable) {
  const CommandResult plan = shell_.run(tiny_sweep("--trials 2 --dry-run"));
  expect_success(plan);
  EXPECT_NE(plan.out.find("6 runs, 384 training images"), std::string::npos) << plan.out;
  EXPECT_FALSE(std::filesystem::exists(shell_ / "sweep"));
  const CommandResult swept = shell_.run(tiny_sweep("--trials 2 --jobs 2"));
  expect_success(swept);
  EXPECT_EQ(finished_runs(), 6u);
  for (const char* domain : {"cartoon", "photo", "sketch", "mean"})
    EXPECT_NE(swept.out.find(domain), std::string::npos);
  EXPECT_EQ(swept.out.find("missing"), std::string::npos) << swept.out;
  EXPECT_EQ(shell_.run("tables sweep").out, swept.out);
  // Asked for again, it has nothing to do; asked for more, it does that alone.
  const CommandResult more = shell_.run(tiny_sweep("--trials 3 --targets sketch"));
  expect_success(more);
  EXPECT_EQ(finished_runs(), 7u);
  EXPECT_NE(more.err.find("3 of 3 runs are finished, 2 of them before"), std::string::npos) << more.err;
  EXPECT_NE(more.out.find("set, ERM, photo, trial 2: hparams 0 not started"), std::string::npos) << more.out;
  // A narrower call forgets nothing, and a target that is named twice is one run.
  const CommandResult narrow = shell_.run(tiny_sweep("--trials 1 --targets sketch,sketch --jobs 2"));
  expect_success(narrow);
  EXPECT_NE(narrow.err.find("1 of 1 runs are finished, 1 of them before"), std::string::npos) << narrow.err;
  EXPECT_EQ(narrow.out, more.out);
  // Runs of other options would stand in the same row.
  const CommandResult other = shell_.run(tiny_sweep("--trials 1 --targets sketch --set optimizer.lr=0.5"));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_NE(other.err.find("optimizer.lr was 0.003, is 0.5"), std::string::npos) << other.err;
}

TEST_F(SweepCommand, AKilledSweepContinuesFromTheCheckpointsOfItsRuns) {
  const std::string longer = "--trials 1 --set steps=40 --set checkpoint_frequency=4 ";
  EXPECT_TRUE(shell_.kill_when_exists(tiny_sweep(longer), "sweep/runs/cartoon-trial0-hparams00/checkpoint.safetensors",
                                      SIGKILL));
  const CommandResult partial = shell_.run("tables sweep");
  expect_success(partial);
  EXPECT_NE(partial.out.find("not started"), std::string::npos) << partial.out;
  // The orphaned run got SIGTERM and may still be writing its checkpoint.
  CommandResult again = shell_.run(tiny_sweep(longer + "--retries 100"));
  expect_success(again);
  EXPECT_EQ(finished_runs(), 3u);
  expect_success(shell_.run("sweep --data set --out whole " + tiny_sweep(longer).substr(tiny_sweep("").find("--set"))));
  const std::string run = "/runs/cartoon-trial0-hparams00/";
  EXPECT_TRUE(CommandLine::text(shell_ / ("sweep" + run + "best.safetensors")) ==
              CommandLine::text(shell_ / ("whole" + run + "best.safetensors")));
}

TEST_F(SweepCommand, ATerminatedSweepEndsItsRunsWithCheckpoints) {
  const std::string longer = "--trials 1 --set steps=400 --set checkpoint_frequency=4 ";
  EXPECT_TRUE(shell_.kill_when_exists(tiny_sweep(longer), "sweep/runs/cartoon-trial0-hparams00/checkpoint.safetensors",
                                      SIGTERM));
  const std::string log = CommandLine::text(shell_ / "sweep/logs/cartoon-trial0-hparams00.log");
  EXPECT_NE(log.find("a checkpoint is written"), std::string::npos) << log;
  EXPECT_FALSE(std::filesystem::exists(shell_ / "sweep/runs/photo-trial0-hparams00"));
}

TEST_F(SweepCommand, ARunThatFailsIsTriedAgainAndNamedAtTheEnd) {
  expect_success(shell_.run(tiny_sweep("--trials 1 --targets photo")));
  std::ofstream(shell_ / "sweep/runs/photo-trial0-hparams00/records.jsonl", std::ios::app) << "garbage\n";
  std::ofstream(shell_ / "set/cartoon/cat/3.png") << "no picture";
  const CommandResult failed = shell_.run(tiny_sweep("--trials 1 --retries 1"));
  EXPECT_EQ(failed.exit_code, 1) << failed.err;
  EXPECT_NE(failed.err.find("try 2"), std::string::npos) << failed.err;
  EXPECT_NE(failed.err.find("3.png"), std::string::npos) << failed.err;
  // A run that cannot be read is one of them, and ends neither the sweep nor its table.
  EXPECT_NE(failed.err.find("photo-trial0-hparams00', and the sweep makes this run anew"), std::string::npos)
      << failed.err;
  EXPECT_NE(failed.err.find("3 runs failed"), std::string::npos) << failed.err;
  const CommandResult table = shell_.run("tables sweep");
  EXPECT_EQ(table.exit_code, 3);
  EXPECT_NE(table.out.find("runs that cannot be read:\n  sweep/runs/photo"), std::string::npos) << table.out;
}

TEST_F(SweepCommand, WrongSweepsAreRefusedBeforeAnythingRuns) {
  EXPECT_EQ(shell_.run(tiny_sweep("--targets skech")).exit_code, 2);
  const CommandResult same = shell_.run(tiny_sweep("--hparams 3"));
  EXPECT_EQ(same.exit_code, 2);
  EXPECT_NE(same.err.find("hparams=domainbed"), std::string::npos) << same.err;
  EXPECT_FALSE(std::filesystem::exists(shell_ / "sweep"));
}

TEST_F(SweepCommand, ASlurmScriptRunsEachCommandAsATaskOfAnArray) {
  expect_success(shell_.run(tiny_sweep("--trials 1 --slurm --jobs 2")));
  const std::string script = CommandLine::text(shell_ / "sweep/sweep.sbatch");
  EXPECT_NE(script.find("#SBATCH --array=0-2%2"), std::string::npos) << script;
  const std::string task =
      "SLURM_ARRAY_TASK_ID=1 bash '" + (shell_ / "sweep/sweep.sbatch").string() + "' 2>/dev/null >/dev/null";
  EXPECT_EQ(std::system(task.c_str()), 0);
  EXPECT_EQ(finished_runs(), 1u);
}

TEST_F(SweepCommand, ResultsGoOutInDomainBedsFormAndComeBackTheSame) {
  expect_success(shell_.run(tiny_sweep("--trials 2 --cross-validation")));
  for (const char* rule : {"training_domain", "leave_one_out", "oracle"}) {
    const std::string selection = std::string(" --selection ") + rule;
    const CommandResult ours = shell_.run("tables sweep" + selection);
    expect_success(ours);
    EXPECT_EQ(ours.out.find("missing"), std::string::npos) << ours.out;
    const std::string folder = std::string("domainbed-") + rule;
    expect_success(shell_.run("tables sweep --format domainbed --out " + folder));
    const CommandResult theirs = shell_.run("tables " + folder + selection + " --format csv");
    expect_success(theirs);
    // Names of domains do not go out; figures do.
    EXPECT_EQ(with_environments(shell_.run("tables sweep --format csv" + selection).out), theirs.out);
    expect_same_in_python(folder, rule, theirs.out);
  }
  const auto lines = read_json_lines(shell_ / "domainbed-oracle/sketch-trial1-hparams00/results.jsonl");
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back().at("step"), 7);
  EXPECT_EQ(lines.back().at("args").at("test_envs"), nlohmann::json({2}));
  EXPECT_TRUE(lines.back().contains("env2_out_acc"));
  EXPECT_TRUE(std::filesystem::exists(shell_ / "domainbed-oracle/sketch-trial1-hparams00/done"));
}

TEST_F(SweepCommand, ARunIsReproducedToTheBitAndComparedWithAnother) {
  expect_success(shell_.run(tiny_sweep("--trials 2 --targets sketch")));
  const std::string run = "sweep/runs/sketch-trial1-hparams00";
  const CommandResult same = shell_.run("reproduce " + run + " --out again");
  expect_success(same);
  EXPECT_NE(same.out.find("the same to the bit"), std::string::npos) << same.out;
  const CommandResult equal = shell_.run("compare " + run + " again");
  expect_success(equal);
  EXPECT_NE(equal.out.find("options, code, data and weights are the same"), std::string::npos) << equal.out;
  expect_success(shell_.run("sweep --data set --out other --trials 2 --targets sketch " +
                            tiny_sweep("--set optimizer.lr=0.03").substr(tiny_sweep("").find("--set"))));
  const CommandResult other = shell_.run("compare sweep other");
  expect_success(other);
  EXPECT_NE(other.out.find("optimizer.lr: 0.003 | 0.03"), std::string::npos) << other.out;
  EXPECT_NE(other.out.find("2 pairs: t = n/a, p = n/a"), std::string::npos) << other.out;
  // Other images are noticed.
  std::filesystem::rename(shell_ / "set/photo/cat/0.png", shell_ / "set/photo/cat/00.png");
  const CommandResult changed = shell_.run("reproduce " + run + " --out changed --tolerance 100");
  EXPECT_NE(changed.err.find("data_hash was"), std::string::npos) << changed.err;
}

TEST_F(SweepCommand, EveryBenchmarksRecipeSaysWhatItTakesWithoutImages) {
  int recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DOMAINFUSION_TEST_DIR "/../recipes")) {
    if (entry.path().filename().string().rfind("domainbed_", 0) != 0) continue;
    // A small picture in place of 224 px: the plan is the same, its measurement quick.
    const CommandResult plan =
        shell_.run("train --dry-run --set loader.image_size_px=32 --recipe " + entry.path().string());
    EXPECT_EQ(plan.exit_code, 0) << entry.path() << plan.err;
    for (const char* fact : {"steps", "images", "time"}) EXPECT_NE(plan.out.find(fact), std::string::npos) << plan.out;
    ++recipes;
  }
  EXPECT_EQ(recipes, 10);
}

}  // namespace domainfusion
