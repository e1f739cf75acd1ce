#include "domainfusion/evaluation/tables/run_comparison.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/evaluation/sweeps/config_differences.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;
using Values = std::map<std::string, std::set<std::string>>;
using RunFigures = std::map<std::tuple<std::string, std::string, std::int64_t>, double>;

constexpr double kNoise = 0.05;  // p-value above which a gap is called chance

// By name, all values that occur in the runs.
Values values_of(const std::vector<ProtocolRun>& runs) {
  Values values;
  for (const ProtocolRun& run : runs) {
    if (!run.config.is_object()) continue;
    for (const auto& [name, value] : run.provenance.items()) values[name].insert(json_text(value));
    for (const auto& [pointer, value] : option_values(run.config)) {
      if (!changes_results("/config" + pointer)) continue;
      values[option_name(pointer)].insert(json_text(value));
    }
  }
  return values;
}

std::string joined(const Values& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? "(absent)" : fmt::format("{}", fmt::join(found->second, ", "));
}

RunFigures figures_of(const std::vector<ProtocolRun>& runs, SelectionRule rule) {
  std::set<std::string> systems;
  for (const ProtocolRun& run : runs) systems.insert(run.algorithm);
  check<ConfigError>(systems.size() == 1,
                     "one side of the comparison holds {} systems: {}; choose one with --system-a, --system-b",
                     systems.size(), fmt::join(systems, ", "));
  RunFigures figures;
  for (const SelectedTrial& trial : select_models(rule, records_of(runs))) {
    std::string target = fmt::format("env{}", trial.test_env);
    for (const ProtocolRun& run : runs) {
      if (run.dataset == trial.dataset) target = run.environments.at(static_cast<std::size_t>(trial.test_env));
    }
    figures[{trial.dataset, target, trial.trial_seed}] = trial.ranked.front().test_acc;
  }
  return figures;
}

std::string why_no_verdict(std::size_t pairs) {
  if (pairs >= kFewestPairs)
    return "no verdict: all differences are equal, so nothing is known of their scatter; run more trials\n";
  return fmt::format("no verdict: {} pairs at least are needed; run more trials\n", kFewestPairs);
}

bool has_repeated_target(const std::vector<PairedFigures>& pairs) {
  std::set<std::string> targets;
  for (const PairedFigures& pair : pairs) targets.insert(pair.target);
  return targets.size() < pairs.size();
}

}  // namespace

std::vector<std::string> differences(const std::vector<ProtocolRun>& a, const std::vector<ProtocolRun>& b) {
  const Values of_a = values_of(a), of_b = values_of(b);
  std::set<std::string> names;
  for (const auto& [name, values] : of_a) names.insert(name);
  for (const auto& [name, values] : of_b) names.insert(name);
  std::vector<std::string> lines;
  for (const std::string& name : names) {
    const std::string left = joined(of_a, name), right = joined(of_b, name);
    if (left != right) lines.push_back(fmt::format("{}: {} | {}", name, left, right));
  }
  return lines;
}

std::vector<PairedFigures> paired_figures(const std::vector<ProtocolRun>& a, const std::vector<ProtocolRun>& b,
                                          SelectionRule rule) {
  const RunFigures of_a = figures_of(a, rule), of_b = figures_of(b, rule);
  std::vector<PairedFigures> pairs;
  for (const auto& [key, figure] : of_a) {
    const auto other = of_b.find(key);
    if (other != of_b.end()) pairs.push_back({std::get<1>(key), std::get<2>(key), figure, other->second});
  }
  return pairs;
}

std::string describe_gap(const std::vector<PairedFigures>& pairs) {
  if (pairs.empty()) return "no set, target and trial seed that both sides have finished: nothing to compare\n";
  std::vector<std::vector<std::string>> cells{{"accuracy, %", "trial", "A", "B", "B - A"}};
  std::vector<double> a, b;
  for (const PairedFigures& pair : pairs) {
    a.push_back(100 * pair.a);
    b.push_back(100 * pair.b);
    cells.push_back({pair.target, std::to_string(pair.trial_seed), fmt::format("{:.1f}", a.back()),
                     fmt::format("{:.1f}", b.back()), fmt::format("{:+.1f}", b.back() - a.back())});
  }
  std::string text = text_table(cells);
  const PairedTest test = paired_test(a, b);
  text += pairs.size() > 1 ? fmt::format("B - A: {:+.2f} ± {:.2f}", test.mean_difference, test.standard_error)
                           : fmt::format("B - A: {:+.2f}", test.mean_difference);
  if (!test.p) {
    const char* word = pairs.size() == 1 ? "pair" : "pairs";
    return text + fmt::format(", {} {}: t = n/a, p = n/a\n{}", pairs.size(), word, why_no_verdict(pairs.size()));
  }
  text += fmt::format(", paired t-test over {} pairs: t = {:.2f}, p = {:.3g}\n", pairs.size(), *test.t, *test.p);
  text += *test.p > kNoise ? "the gap is inside the scatter of the pairs (p > 0.05)\n"
                           : "the gap is larger than the scatter of the pairs explains (p <= 0.05)\n";
  return has_repeated_target(pairs) ? text
                                    : text + "one trial a target: the scatter is that of targets, not of seeds\n";
}

}  // namespace domainfusion
