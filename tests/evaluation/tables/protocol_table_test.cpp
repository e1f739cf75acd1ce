#include "domainfusion/evaluation/tables/protocol_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/tables/domainbed_folder.h"
#include "domainfusion/evaluation/tables/system_names.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/training/options/hparams.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

// A finished run on three domains whose answers on held-out images are `accuracy`.
ProtocolRun made_run(std::vector<std::int64_t> test_envs, std::int64_t trial, double accuracy,
                     std::int64_t hparams = 0) {
  ProtocolRun run;
  run.path = "runs/some";
  run.dataset = "set";
  run.algorithm = "ERM";
  run.environments = {"art", "photo", "sketch"};
  run.test_envs = test_envs;
  run.trial_seed = trial;
  run.hparams_seed = hparams;
  run.finished = true;
  run.last_step = 9;
  ProtocolRecord record{"set", "ERM", test_envs, trial, hparams, 9, {0.9, 0.9, 0.9}, {0.8, 0.8, 0.8}};
  for (const std::int64_t env : test_envs) record.in_acc[static_cast<std::size_t>(env)] = accuracy;
  run.records.push_back(record);
  run.args = nlohmann::json::object();
  run.more.push_back(nlohmann::json::object());
  return run;
}

nlohmann::json made_config(std::int64_t seed, double lr) {
  return {{"seed", seed}, {"optimizer", {{"lr", lr}}}, {"data", {{"root", "/somewhere"}}}};
}

}  // namespace

TEST(ProtocolTable, CellsSayWhatTheyWaitFor) {
  std::vector<ProtocolRun> runs{made_run({0}, 0, 0.5), made_run({0}, 1, 0.75), made_run({2}, 0, 0.7)};
  runs.push_back(made_run({2}, 1, 0.7));
  runs.back().finished = false;
  runs.back().last_step = 299;
  runs.back().records.clear();
  const auto tables = protocol_tables(runs, SelectionRule::kTrainingDomain);
  EXPECT_EQ(tables.at("set").text(),
            "accuracy, %         art         sketch  mean\n"
            "ERM          62.5 ± 8.8  70.0 (1 of 2)  66.2\n");
  EXPECT_EQ(missing_runs(runs, SelectionRule::kTrainingDomain),
            (std::vector<std::string>{"set, ERM, sketch, trial 1: hparams 0 stopped after 300 steps"}));
  const std::string csv = tables.at("set").csv();
  EXPECT_NE(csv.find("system,domain,mean,standard_error,runs,expected\nERM,art,62.5,8.8388347648318"),
            std::string::npos)
      << csv;
  EXPECT_NE(csv.find("ERM,sketch,70,0,1,2\n"), std::string::npos) << csv;
  EXPECT_NE(tables.at("set").latex().find("ERM & 62.5 $\\pm$ 8.8 & 70.0 (1 of 2) & 66.2 \\\\"), std::string::npos)
      << tables.at("set").latex();
}

TEST(ProtocolTable, LeaveOneOutAlsoNeedsEachPairOfHeldOutDomains) {
  const std::vector<ProtocolRun> runs{made_run({0}, 0, 0.5), made_run({0, 1}, 0, 0.4)};
  EXPECT_EQ(missing_runs(runs, SelectionRule::kLeaveOneOut),
            (std::vector<std::string>{"set, ERM, art and sketch, trial 0: hparams 0 not started"}));
  EXPECT_EQ(protocol_tables(runs, SelectionRule::kLeaveOneOut).at("set").text(),
            "accuracy, %  art\nERM            -\n");
  EXPECT_TRUE(missing_runs(runs, SelectionRule::kTrainingDomain).empty());
}

TEST(SystemNames, SayTheOptionsThatDifferAndPassOverSeedsAndPaths) {
  std::vector<ProtocolRun> runs{made_run({0}, 0, 0.5), made_run({0}, 1, 0.6), made_run({0}, 0, 0.7)};
  runs[0].config = made_config(3, 0.1);
  runs[1].config = made_config(4, 0.1);
  runs[2].config = made_config(3, 0.2);
  tell_systems_apart(runs);
  EXPECT_EQ(runs[0].algorithm, "ERM (optimizer.lr=0.1)");
  EXPECT_EQ(runs[1].algorithm, "ERM (optimizer.lr=0.1)");
  EXPECT_EQ(runs[2].records[0].algorithm, "ERM (optimizer.lr=0.2)");
}

TEST(SystemNames, ListsAreOneOptionEach) {
  std::vector<ProtocolRun> runs{made_run({0}, 0, 0.5), made_run({0}, 1, 0.6), made_run({0}, 0, 0.7)};
  for (ProtocolRun& run : runs) run.config = {{"algorithm", "cdga"}, {"cdga", {{"styles", nlohmann::json::array()}}}};
  runs[1].config["cdga"].erase("styles");  // as an older version wrote it
  runs[2].config["cdga"]["styles"] = {"mosaic", "@lists/mine.txt"};
  tell_systems_apart(runs);
  EXPECT_EQ(runs[0].algorithm, "ERM (cdga.styles=[])");
  EXPECT_EQ(runs[1].algorithm, "ERM (cdga.styles=[])");
  EXPECT_EQ(runs[2].algorithm, R"(ERM (cdga.styles=["mosaic","@mine.txt"]))");
}

TEST(SystemNames, ADrawnOptionThatSomeRunsSetThemselvesTellsThemApart) {
  std::vector<ProtocolRun> runs{made_run({0}, 0, 0.5), made_run({0}, 1, 0.6, 1), made_run({0}, 2, 0.7)};
  for (ProtocolRun& run : runs) {
    run.config = {{"hparams", "domainbed"}, {"benchmark", "PACS"}};
    const auto drawn = hparams_of_trial("erm", "PACS", run.hparams_seed, run.trial_seed);
    run.config["optimizer"]["lr"] = drawn.at("lr");
    run.config["loader"]["batch_size"] = drawn.at("batch_size");
  }
  auto all_drawn = runs;
  tell_systems_apart(all_drawn);
  EXPECT_EQ(all_drawn[1].algorithm, "ERM");
  auto one_without = runs;
  one_without[0].config["hparams"] = "none";
  tell_systems_apart(one_without);
  EXPECT_EQ(one_without[0].algorithm, "ERM (hparams=none)");
  EXPECT_EQ(one_without[1].algorithm, "ERM (hparams=domainbed)");
  runs[2].config["optimizer"]["lr"] = 0.05;
  tell_systems_apart(runs);
  EXPECT_EQ(runs[0].algorithm, "ERM (optimizer.lr=drawn)");
  EXPECT_EQ(runs[1].algorithm, "ERM (optimizer.lr=drawn)");
  EXPECT_EQ(runs[2].algorithm, "ERM (optimizer.lr=0.05)");
}

TEST(SystemNames, WeightsOfOneTargetCountByTheirContent) {
  const auto with_weights = [](std::int64_t env, const std::string& path, const std::string& hash) {
    ProtocolRun run = made_run({env}, 0, 0.5);
    run.config = {{"classifier", {{"weights", path}}}};
    run.provenance = {{"weights_hash", hash}};
    return run;
  };
  std::vector<ProtocolRun> moved{with_weights(0, "/a/resnet.pth", "aaaa"), with_weights(0, "/b/resnet.pth", "aaaa"),
                                 with_weights(1, "/c/own.pth", "cccc")};
  tell_systems_apart(moved);
  EXPECT_EQ(moved[0].algorithm.find("weights"), std::string::npos) << moved[0].algorithm;
  std::vector<ProtocolRun> named{with_weights(0, "/a/one.pth", "aaaa"), with_weights(0, "/a/two.pth", "bbbb")};
  tell_systems_apart(named);
  EXPECT_EQ(named[0].algorithm, "ERM (classifier.weights=one.pth)");
  std::vector<ProtocolRun> changed{with_weights(0, "/a/one.pth", "aaaaaaaaaa"),
                                   with_weights(0, "/b/one.pth", "bbbbbbbbbb")};
  tell_systems_apart(changed);
  EXPECT_EQ(changed[1].algorithm, "ERM (classifier.weights=bbbbbbbb)");
}

TEST(SystemNames, RunsThatDifferInTheTrainingSeedAreTrials) {
  std::vector<ProtocolRun> runs{made_run({0}, 0, 0.5), made_run({0}, 0, 0.6)};
  EXPECT_THROW(check_unambiguous(runs), ConfigError);
  runs[0].seed = 7;
  tell_systems_apart(runs);
  EXPECT_EQ(runs[0].algorithm, "ERM");
  EXPECT_EQ(runs[0].records[0].trial_seed, 1);
  EXPECT_EQ(runs[1].trial_seed, 0);
  EXPECT_NO_THROW(check_unambiguous(runs));
}

TEST(DomainBedFolder, IsWrittenAsItIsRead) {
  TemporaryFolder place;
  std::vector<ProtocolRun> runs{made_run({0}, 0, 0.5), made_run({2}, 0, 0.25)};
  runs[1].finished = false;
  runs[1].records[0].in_acc[1] = std::nan("");  // a source's IN split: no rule reads it
  EXPECT_EQ(write_domainbed_runs(runs, place / "out"), 2u);
  EXPECT_TRUE(std::filesystem::exists(place / "out/some/done"));
  EXPECT_FALSE(std::filesystem::exists(place / "out/some-2/done"));
  const auto read = find_runs({place / "out"}).runs;
  ASSERT_EQ(read.size(), 2u);
  EXPECT_TRUE(read[0].finished);
  EXPECT_EQ(read[0].records[0].in_acc, runs[0].records[0].in_acc);
  EXPECT_EQ(read[1].records[0].out_acc, runs[1].records[0].out_acc);
  EXPECT_TRUE(std::isnan(read[1].records[0].in_acc[1]));
  EXPECT_THROW(write_domainbed_runs(runs, place / "out"), ConfigError);
}

}  // namespace domainfusion
