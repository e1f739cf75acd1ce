#include "domainfusion/evaluation/tables/protocol_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/sweeps/sweep_plan.h"
#include "domainfusion/evaluation/tables/domainbed_folder.h"
#include "domainfusion/evaluation/tables/system_names.h"
#include "domainfusion/io/files/json_lines.h"
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
  const auto read = find_runs({place / "out"});
  ASSERT_EQ(read.size(), 2u);
  EXPECT_TRUE(read[0].finished);
  EXPECT_EQ(read[0].records[0].in_acc, runs[0].records[0].in_acc);
  EXPECT_EQ(read[1].records[0].out_acc, runs[1].records[0].out_acc);
  EXPECT_TRUE(std::isnan(read[1].records[0].in_acc[1]));
  EXPECT_THROW(write_domainbed_runs(runs, place / "out"), ConfigError);
  place.write("broken/results.jsonl", "{\"step\": 0}\n");
  EXPECT_NE(message_of<FormatError>([&] { find_runs({place / "broken"}); }).find("args"), std::string::npos);
  EXPECT_THROW(find_runs({place / "nowhere"}), IoError);
}

TEST(SweepPlan, NamesEachRunByWhatItIsAndSeedsItAsDomainBedDoes) {
  SweepRequest request{"PACS", "ERM", "none", {"art", "photo", "real world"}, {"real world", "art"}, 2, 2, true};
  const auto runs = plan_sweep(request);
  ASSERT_EQ(runs.size(), 2u * 2u * (2u + 3u));
  EXPECT_EQ(runs[0].name, "real_world-trial0-hparams00");
  EXPECT_EQ(runs[2].name, "art+photo-trial0-hparams00");
  EXPECT_EQ(runs[2].cross_validation_domain, "photo");
  // seed_hash('PACS', 'ERM', [2], 0, 0)
  EXPECT_EQ(runs[0].seed, 1164463227);
  EXPECT_EQ(runs[0].test_envs, (std::vector<std::int64_t>{2}));
  request.targets = {"arr"};
  EXPECT_NE(message_of<ConfigError>([&] { plan_sweep(request); }).find("did you mean 'art'"), std::string::npos);
}

TEST(SweepPlan, PlannedRunsThatAreNotBegunAreMissing) {
  TemporaryFolder place;
  const SweepRequest request{"set", "ERM", "swad", {"art", "photo"}, {"art"}, 1, 2, false};
  write_sweep_request(place / "sweep", request);
  const auto runs = find_runs({place / "sweep"});
  EXPECT_EQ(missing_runs(runs, SelectionRule::kTrainingDomain),
            (std::vector<std::string>{"set, ERM, art, trial 0: hparams 0, 1 not started",
                                      "set, ERM + swad, art, trial 0: hparams 0, 1 not started"}));
  SweepRequest other = request;
  other.dataset = "another";
  EXPECT_THROW(write_sweep_request(place / "sweep", other), ConfigError);
  place.write("sweep/sweep.json", "{}");
  EXPECT_THROW(find_runs({place / "sweep"}), FormatError);
}

}  // namespace domainfusion
