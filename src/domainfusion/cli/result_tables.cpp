#include "domainfusion/cli/result_tables.h"

#include <fmt/format.h>

#include "domainfusion/evaluation/tables/protocol_table.h"
#include "domainfusion/evaluation/tables/system_names.h"

namespace domainfusion {
namespace {

std::string formatted(const ResultTable& table, const std::string& format) {
  if (format == "markdown") return table.markdown();
  if (format == "latex") return table.latex();
  return format == "csv" ? table.csv() : table.text();
}

void print_missing(const std::vector<std::string>& missing, const std::string& format) {
  if (missing.empty()) return;
  // A file of numbers holds numbers.
  std::FILE* place = format == "csv" ? stderr : stdout;
  const char* comment = format == "latex" ? "% " : "";
  fmt::print(place, "\n{}runs that are missing:\n", comment);
  for (const std::string& line : missing)
    fmt::print(place, "{}{}{}\n", comment, format == "markdown" ? "- " : "  ", line);
}

}  // namespace

void print_result_tables(std::vector<ProtocolRun> runs, SelectionRule rule, const std::string& format) {
  tell_systems_apart(runs);
  const char* comment = format == "latex" ? "% " : "";
  bool first = true;
  for (const auto& [dataset, table] : protocol_tables(runs, rule)) {
    if (!first) fmt::print("\n");
    if (format != "csv") fmt::print("{}{}, {}\n", comment, dataset, name_of(rule));
    if (format == "markdown") fmt::print("\n");
    fmt::print("{}", formatted(table, format));
    first = false;
  }
  print_missing(missing_runs(runs, rule), format);
}

namespace {

const std::map<std::string, SelectionRule> kRules{{"training_domain", SelectionRule::kTrainingDomain},
                                                  {"leave_one_out", SelectionRule::kLeaveOneOut},
                                                  {"oracle", SelectionRule::kOracle}};

}  // namespace

void SelectionArgument::add_to(Command& command) {
  std::vector<std::string> names;
  for (const auto& [name, rule] : kRules) names.push_back(name);
  command.option("--selection", name, "rule that chooses hyper-parameters and checkpoints; oracle looks at the target")
      .one_of(names)
      .default_shown();
}

SelectionRule SelectionArgument::rule() const { return kRules.at(name); }

}  // namespace domainfusion
