// Choices and tables equal those of DomainBed's model_selection.py on the same records.

#include <gtest/gtest.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/tables/selection.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/metrics/classification.h"
#include "parity/case_folders.h"

namespace domainfusion {
namespace {

using nlohmann::json;

std::vector<ProtocolRecord> read_records(const std::filesystem::path& file) {
  std::vector<ProtocolRecord> records;
  for (const json& line : read_json_lines(file)) records.push_back(protocol_record(line));
  return records;
}

void expect_same_trial(const SelectedTrial& trial, const json& expected) {
  EXPECT_EQ(trial.trial_seed, expected.at("trial_seed"));
  EXPECT_EQ(trial.dataset, expected.at("dataset"));
  EXPECT_EQ(trial.algorithm, expected.at("algorithm"));
  EXPECT_EQ(trial.test_env, expected.at("test_env"));
  ASSERT_EQ(trial.ranked.size(), expected.at("ranked").size());
  EXPECT_EQ(trial.ranked[0].test_acc, expected.at("sweep_acc"));
  for (std::size_t i = 0; i < trial.ranked.size(); ++i) {
    const json& choice = expected.at("ranked")[i];
    EXPECT_EQ(trial.ranked[i].hparams_seed, choice.at("hparams_seed")) << expected << i;
    EXPECT_NEAR(trial.ranked[i].val_acc, choice.at("val_acc").get<double>(), 1e-12);
    EXPECT_EQ(trial.ranked[i].test_acc, choice.at("test_acc"));
  }
}

void expect_same_table(const std::vector<SelectedTrial>& trials, const json& expected) {
  std::map<std::int64_t, std::vector<double>> accuracies;
  for (const SelectedTrial& trial : trials) accuracies[trial.test_env].push_back(trial.ranked[0].test_acc);
  ASSERT_EQ(accuracies.size(), expected.size());
  for (const auto& [env, values] : accuracies) {
    const json& cell = expected.at(std::to_string(env));
    const MeanAndError found = mean_and_error(values);
    EXPECT_NEAR(100 * found.mean, cell.at("mean").get<double>(), 1e-10);
    EXPECT_NEAR(100 * found.standard_error, cell.at("stderr").get<double>(), 1e-10);
    EXPECT_EQ(fmt::format("{:.1f} +/- {:.1f}", 100 * found.mean, 100 * found.standard_error), cell.at("text"));
  }
}

}  // namespace

TEST(SelectionParity, ChoicesAndTablesEqualDomainBeds) {
  const auto folders = case_folders("domainbed", "selection.json");
  ASSERT_FALSE(folders.empty());
  const std::map<std::string, SelectionRule> rules{
      {"training-domain validation set", SelectionRule::kTrainingDomain},
      {"test-domain validation set (oracle)", SelectionRule::kOracle},
      {"leave-one-domain-out cross-validation", SelectionRule::kLeaveOneOut}};
  for (const auto& folder : folders) {
    const auto records = read_records(folder / "records.jsonl");
    const json reference = json::parse(read_file(folder / "selection.json"));
    for (const auto& [name, expected] : reference.items()) {
      const auto trials = select_models(rules.at(name), records);
      ASSERT_EQ(trials.size(), expected.at("groups").size()) << folder << name;
      for (std::size_t i = 0; i < trials.size(); ++i) expect_same_trial(trials[i], expected.at("groups")[i]);
      expect_same_table(trials, expected.at("table"));
    }
  }
}

TEST(Selection, FiguresThatAreNotKnownChooseNothing) {
  const auto record = [](std::int64_t step, double target_in, double source_out) {
    ProtocolRecord made{"set", "ERM", {0}, 0, 0, step, {target_in, 0.5}, {0.5, source_out}};
    return made;
  };
  const std::vector<ProtocolRecord> records{record(0, 0.1, 0.3), record(1, std::nan(""), 0.9), record(2, 0.2, 0.3)};
  const auto trials = select_models(SelectionRule::kTrainingDomain, records);
  ASSERT_EQ(trials.size(), 1u);
  EXPECT_EQ(trials[0].ranked[0].step, 0);
  EXPECT_TRUE(select_models(SelectionRule::kTrainingDomain, std::vector{records[1]}).empty());
  EXPECT_TRUE(select_models(SelectionRule::kLeaveOneOut, records).empty());
}

TEST(Selection, LinesThatAreNoRecordsAreRefusedByWhatTheyLack) {
  json line = {
      {"args", {{"dataset", "PACS"}, {"algorithm", "ERM"}, {"test_envs", {1}}, {"trial_seed", 0}, {"hparams_seed", 0}}},
      {"step", 0},
      {"env0_in_acc", 0.5}};
  EXPECT_THROW(protocol_record(line), FormatError);  // no figure of environment 1
  line["env1_out_acc"] = 0.5;
  EXPECT_TRUE(std::isnan(protocol_record(line).in_acc[1]));
  line["args"].erase("hparams_seed");
  EXPECT_THROW(protocol_record(line), FormatError);
  EXPECT_THROW(protocol_record(json::array()), FormatError);
}

}  // namespace domainfusion
