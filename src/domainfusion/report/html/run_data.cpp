#include "domainfusion/report/html/run_data.h"

#include <algorithm>
#include <map>

#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/models/trained_model.h"
#include "domainfusion/evaluation/plans/run_plan.h"
#include "domainfusion/evaluation/sweeps/config_differences.h"
#include "domainfusion/evaluation/sweeps/slurm_script.h"
#include "domainfusion/evaluation/tables/run_result.h"
#include "domainfusion/evaluation/tables/selection.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/report/html/curves.h"
#include "domainfusion/training/records/run_cost.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;

std::string state_of_run(const ProtocolRun& run) {
  if (run.finished) return "finished";
  return run.last_step < 0 ? "not begun" : fmt::format("stopped after {} steps", run.last_step + 1);
}

std::vector<std::string> held_out_names(const ProtocolRun& run) {
  std::vector<std::string> names;
  for (const std::int64_t env : run.test_envs) {
    const auto place = static_cast<std::size_t>(env);
    names.push_back(place < run.environments.size() ? run.environments[place] : fmt::format("env{}", env));
  }
  return names;
}

// What each rule would choose in this run alone; a rule that needs other runs chooses in tables only.
json chosen_by_rules(const ProtocolRun& run) {
  json chosen = json::array();
  for (const SelectionRule rule : {SelectionRule::kTrainingDomain, SelectionRule::kOracle}) {
    const auto trials = select_models(rule, run.records);
    if (trials.size() != 1 || trials[0].ranked.empty()) continue;
    const Choice& choice = trials[0].ranked.front();
    chosen.push_back({{"rule", name_of(rule)},
                      {"steps", choice.step + 1},
                      {"validation", choice.val_acc},
                      {"accuracy", choice.test_acc}});
  }
  return chosen;
}

json validation_json(const ValidationRecord* record) {
  if (!record) return nullptr;
  return {{"steps", record->step},
          {"accuracy", record->mean_accuracy},
          {"by_domain", record->accuracy},
          {"loss", short_number(record->mean_loss)}};
}

json test_json(const TestRecord& test) {
  return {{"model", test.model.empty() ? "best" : test.model},
          {"domain", test.domain},
          {"steps", test.step},
          {"accuracy", short_number(test.accuracy)},
          {"confusion", test.confusion}};
}

json tests_json(const RunResult& result) {
  json tests = json::array();
  if (result.test) tests.push_back(test_json(*result.test));
  if (result.average_test) tests.push_back(test_json(*result.average_test));
  for (const DsiResult& dsi : result.dsi) tests.push_back(test_json(dsi.test));
  return tests;
}

json fit_json(const RunResult& result) {
  if (!result.fit) return nullptr;
  return {{"accuracy", result.fit->accuracy},
          {"loss", short_number(result.fit->loss)},
          {"images", result.fit->images},
          {"under_fitted", result.fit->under_fitted()}};
}

json guard_json(const RunResult& result) {
  if (!result.guard) return nullptr;
  return {{"domain", result.guard->domain},
          {"source_images_in_target", result.guard->source_images_in_target},
          {"weights_of_unknown_origin", result.guard->weights_of_unknown_origin},
          {"ldm_of_unknown_origin", result.ldm_of_unknown_origin}};
}

// The options that are not at their defaults, by their names.
json changed_options(const json& config) {
  static std::map<std::string, std::map<std::string, json>> defaults;
  const std::string algorithm = config.value("algorithm", "");
  if (!defaults.contains(algorithm)) defaults[algorithm] = option_values(with_defaults({{"algorithm", algorithm}}));
  json options = json::object();
  for (const auto& [pointer, value] : option_values(config)) {
    const auto known = defaults[algorithm].find(pointer);
    if (known == defaults[algorithm].end() || known->second != value || pointer == "/algorithm")
      options[option_name(pointer)] = value;
  }
  return options;
}

json cost_json(const RunResult& result) {
  const RealCost cost = real_cost(result);
  return {{"seconds", short_number(cost.seconds)},
          {"peak_memory_mib", short_number(cost.peak_memory_mib)},
          {"disk_mib", short_number(cost.disk_mib)},
          {"generated_images", cost.generated_images}};
}

// Of the run's own options on sets of these sizes; null where this program does not know them.
json plan_json(const RunResult& result, const json& description) {
  try {
    RunSetup setup = recorded_setup(description);
    SetSizes sizes{result.dataset, result.domain_names, {}, std::ssize(result.class_names), result.class_names};
    for (const std::string& domain : result.domain_names) sizes.images.push_back(result.images.at(domain));
    const RunPlan plan = count_run(setup, sizes);
    return {{"steps", plan.budget.steps},
            {"images_per_step", plan.budget.images_per_step},
            {"generated_images", plan.work.generated_images},
            {"cdga_images", plan.cdga_images},
            {"fds_images", plan.fds_images}};
  } catch (const std::exception&) {
    return nullptr;
  }
}

// The last record of each of the kinds that an LDM's work leaves, and all of rounds.
void add_ldm_records(const std::vector<json>& records, json& data) {
  json ldm = json::object(), rounds = json::array();
  for (const json& record : records) {
    const std::string type = record.value("type", "");
    if (type == "round") rounds.push_back(record);
    if (type == "ldm" || type == "premise_gate" || type == "curve_gate" || type == "styles" || type == "cdga" ||
        type == "fds")
      ldm[type] = record;
  }
  data["ldm"] = std::move(ldm);
  data["rounds"] = std::move(rounds);
}

json dsi_json(const RunResult& result) {
  json list = json::array();
  for (const DsiResult& dsi : result.dsi) list.push_back(dsi.record);
  return list;
}

void add_records(const RunResult& result, std::size_t most_points, json& data) {
  const std::filesystem::path& path = result.path;
  const auto file = path / "records.jsonl";
  const std::vector<json> records = std::filesystem::exists(file) ? read_json_lines(file) : std::vector<json>{};
  data["classes"] = result.class_names;
  data["images"] = result.images;
  data["validation"] = validation_json(select_by_source_validation(result.validations));
  data["average_validation"] = validation_json(result.average_validation ? &*result.average_validation : nullptr);
  data["tests"] = tests_json(result);
  data["fit"] = fit_json(result);
  data["guard"] = guard_json(result);
  data["provenance"] = result.provenance;
  data["options"] = changed_options(result.config);
  data["cost"] = records.empty() ? json() : cost_json(result);
  data["plan"] = plan_json(result, read_run_description(path));
  data["dsi"] = dsi_json(result);
  add_ldm_records(records, data);
  data["curves"] = curves_of(records, read_run_cost(path), most_points);
  if (result.finished())
    data["reproduce"] = fmt::format("domainfusion reproduce {} --out {}", shell_quoted(path.string()),
                                    shell_quoted(path.string() + "-again"));
}

}  // namespace

json run_data(const ProtocolRun& run, std::size_t most_points) {
  json data = {{"path", run.path.string()},        {"set", run.dataset},
               {"system", run.algorithm},          {"held_out", held_out_names(run)},
               {"domains", run.environments},      {"trial", run.trial_seed},
               {"hparams_seed", run.hparams_seed}, {"seed", run.seed},
               {"state", state_of_run(run)},       {"steps", run.last_step + 1},
               {"chosen", chosen_by_rules(run)}};
  if (run.config.is_object()) add_records(read_run(run.path), most_points, data);
  return data;
}

}  // namespace domainfusion
