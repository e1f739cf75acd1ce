#include "domainfusion/report/html/sweep_data.h"

#include <algorithm>

#include "domainfusion/evaluation/tables/protocol_table.h"
#include "domainfusion/evaluation/tables/run_comparison.h"
#include "domainfusion/report/html/curves.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr std::size_t kMostSystemsInPairs = 12;

json table_json(const std::string& set, const ResultTable& table, SelectionRule rule) {
  json cells = json::array();
  for (const ResultTable::Cell& cell : table.entries()) {
    const std::size_t runs = cell.accuracies.size();
    const MeanAndError figure = runs > 0 ? mean_and_error(cell.accuracies) : MeanAndError{};
    cells.push_back({{"system", cell.system},
                     {"domain", cell.domain},
                     {"accuracy", runs > 0 ? json(figure.mean) : json()},
                     {"standard_error", runs > 1 ? json(figure.standard_error) : json()},
                     {"runs", runs},
                     {"expected", cell.expected}});
  }
  return {{"set", set}, {"rule", name_of(rule)}, {"cells", cells}};
}

struct SystemRuns {
  std::string set, system;
  std::vector<ProtocolRun> runs;
};

// In the order in which they come.
std::vector<SystemRuns> runs_by_system(const std::vector<ProtocolRun>& runs) {
  std::vector<SystemRuns> systems;
  for (const ProtocolRun& run : runs) {
    auto known = std::find_if(systems.begin(), systems.end(), [&](const SystemRuns& system) {
      return system.set == run.dataset && system.system == run.algorithm;
    });
    if (known == systems.end()) known = systems.insert(known, {run.dataset, run.algorithm, {}});
    known->runs.push_back(run);
  }
  return systems;
}

json comparison_json(const SystemRuns& a, const SystemRuns& b, SelectionRule rule) {
  const std::vector<PairedFigures> figures = paired_figures(a.runs, b.runs, rule);
  if (figures.empty()) return nullptr;
  json pairs = json::array();
  std::vector<double> of_a, of_b;
  for (const PairedFigures& pair : figures) {
    of_a.push_back(pair.a);
    of_b.push_back(pair.b);
    pairs.push_back({{"domain", pair.target}, {"trial", pair.trial_seed}, {"a", pair.a}, {"b", pair.b}});
  }
  const PairedTest test = paired_test(of_a, of_b);
  return {{"set", a.set},
          {"rule", name_of(rule)},
          {"a", a.system},
          {"b", b.system},
          {"pairs", pairs},
          {"difference", test.mean_difference},
          {"standard_error", test.standard_error},
          {"half_interval", test.half_interval ? json(*test.half_interval) : json()},
          {"p", test.p ? json(*test.p) : json()}};
}

void add_comparisons(const std::vector<SystemRuns>& systems, SelectionRule rule, json& comparisons) {
  const std::size_t firsts = systems.size() > kMostSystemsInPairs ? 1 : systems.size();
  for (std::size_t a = 0; a < firsts; ++a) {
    for (std::size_t b = a + 1; b < systems.size(); ++b) {
      if (systems[a].set != systems[b].set) continue;
      json comparison = comparison_json(systems[a], systems[b], rule);
      if (!comparison.is_null()) comparisons.push_back(std::move(comparison));
    }
  }
}

}  // namespace

json sweep_data(const std::vector<ProtocolRun>& runs) {
  json tables = json::array(), comparisons = json::array();
  const std::vector<SystemRuns> systems = runs_by_system(runs);
  for (const SelectionRule rule :
       {SelectionRule::kTrainingDomain, SelectionRule::kLeaveOneOut, SelectionRule::kOracle}) {
    if (select_models(rule, records_of(runs)).empty()) continue;
    for (const auto& [set, table] : protocol_tables(runs, rule)) tables.push_back(table_json(set, table, rule));
    add_comparisons(systems, rule, comparisons);
  }
  return {{"tables", tables},
          {"comparisons", comparisons},
          {"missing", missing_runs(runs, SelectionRule::kTrainingDomain)}};
}

}  // namespace domainfusion
