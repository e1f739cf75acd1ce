// Records of runs and tables of many, as plain dicts.
#include "domainfusion/evaluation/tables/protocol_table.h"
#include "domainfusion/evaluation/tables/system_names.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/metrics/classification.h"
#include "domainfusion/python/bindings.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

SelectionRule selection_rule_of(const std::string& name) {
  if (name == "training_domain") return SelectionRule::kTrainingDomain;
  if (name == "leave_one_out") return SelectionRule::kLeaveOneOut;
  check<ConfigError>(name == "oracle", "selection = '{}': expected training_domain, leave_one_out or oracle", name);
  return SelectionRule::kOracle;
}

nlohmann::json row_of(const std::string& dataset, const ResultTable::Cell& cell) {
  const MeanAndError figures = mean_and_error(cell.accuracies);
  const bool any = !cell.accuracies.empty();
  return {{"dataset", dataset},
          {"system", cell.system},
          {"domain", cell.domain},
          {"mean", any ? nlohmann::json(figures.mean) : nlohmann::json()},
          {"standard_error", cell.accuracies.size() > 1 ? nlohmann::json(figures.standard_error) : nlohmann::json()},
          {"accuracies", cell.accuracies},
          {"expected", cell.expected}};
}

nlohmann::json tables_of(const std::vector<std::filesystem::path>& folders, const std::string& selection) {
  const SelectionRule rule = selection_rule_of(selection);
  FoundRuns found = find_runs(folders);
  check<IoError>(!found.runs.empty() || !found.unreadable.empty(),
                 "no run is in the folders: expected some with run.json (ours) or results.jsonl (DomainBed's)");
  tell_sets_apart(found.runs);
  tell_systems_apart(found.runs);
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& [dataset, table] : protocol_tables(found.runs, rule))
    for (const ResultTable::Cell& cell : table.entries()) rows.push_back(row_of(dataset, cell));
  return {{"rows", rows}, {"missing", missing_runs(found.runs, rule)}, {"unreadable", found.unreadable}};
}

}  // namespace

void bind_results(py::module_& module) {
  module.def("run_description", &read_run_description, py::arg("run"), Unlocked(),
             "run.json of a run folder, as a dict: the configuration, classes, domains, provenance.");
  module.def(
      "records",
      [](const std::filesystem::path& run) {
        read_run_description(run);  // says what a run folder is
        return read_json_lines(run / "records.jsonl");
      },
      py::arg("run"), Unlocked(), "The typed records of a run (records.jsonl), a list of dicts in order.");
  module.def(
      "read_json_lines", [](const std::filesystem::path& path) { return read_json_lines(path); }, py::arg("path"),
      Unlocked(), "Every whole line of a file of JSON lines; a torn last line is left out.");
  module.def(
      "tables", &tables_of, py::arg("folders"), py::arg("selection") = "training_domain", Unlocked(),
      "Accuracy per held-out domain over trials of all runs below the folders, ours and DomainBed's: \"rows\", a\n"
      "list of dicts (dataset, system, domain, mean and standard_error in [0, 1], accuracies by trial, expected:\n"
      "how many there should be), which pandas.DataFrame takes; \"missing\" and \"unreadable\", in words.\n"
      "selection: training_domain, leave_one_out or oracle.");
}

}  // namespace domainfusion
