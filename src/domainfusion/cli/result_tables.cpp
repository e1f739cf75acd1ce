#include "domainfusion/cli/result_tables.h"

#include <fmt/format.h>

#include <map>

#include "domainfusion/core/error.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/evaluation/plans/run_plan.h"
#include "domainfusion/evaluation/tables/protocol_table.h"
#include "domainfusion/evaluation/tables/system_names.h"

namespace domainfusion {
namespace {

std::string formatted(const ResultTable& table, const std::string& format) {
  if (format == "markdown") return table.markdown();
  if (format == "latex") return table.latex();
  return format == "csv" ? table.csv() : table.text();
}

void print_list(const std::string& head, const std::vector<std::string>& lines, const std::string& format) {
  if (lines.empty()) return;
  // A file of numbers holds numbers.
  std::FILE* place = format == "csv" ? stderr : stdout;
  const char* comment = format == "latex" ? "% " : "";
  std::string text = fmt::format("\n{}{}:\n", comment, head);
  for (const std::string& line : lines)
    text += fmt::format("{}{}{}\n", comment, format == "markdown" ? "- " : "  ", line);
  std::fputs(text.c_str(), place);
}

std::vector<std::string> under_fitted_systems(const std::vector<ProtocolRun>& runs) {
  struct Count {
    std::int64_t under_fitted = 0, finished = 0;
  };
  std::map<std::string, Count> counts;
  for (const ProtocolRun& run : runs) {
    Count& count = counts[fmt::format("{}, {}", run.dataset, run.algorithm)];
    count.under_fitted += run.under_fitted;
    count.finished += run.finished;
  }
  std::vector<std::string> lines;
  for (const auto& [system, count] : counts) {
    if (count.under_fitted > 0)
      lines.push_back(fmt::format("{}: {} of {} finished runs", system, count.under_fitted, count.finished));
  }
  return lines;
}

void add_costs(const std::vector<ProtocolRun>& runs, const std::string& dataset, ResultTable& table) {
  struct Sum {
    double generated = 0, seconds = 0;
    std::int64_t runs = 0;
  };
  std::map<std::string, Sum> sums;
  for (const ProtocolRun& run : runs) {
    if (run.dataset != dataset || !run.finished || run.config.is_null()) continue;  // DomainBed's do not tell
    const RealCost cost = real_cost(run.path);
    Sum& sum = sums[run.algorithm];
    sum.generated += static_cast<double>(cost.generated_images);
    sum.seconds += cost.seconds;
    ++sum.runs;
  }
  for (const auto& [system, sum] : sums) {
    const auto n = static_cast<double>(sum.runs);
    table.add_fact(system, "images made", fmt::format("{:.0f}", sum.generated / n));
    table.add_fact(system, "time of a run", sum.seconds > 0 ? format_seconds(sum.seconds / n) : "");
  }
}

}  // namespace

void print_result_tables(FoundRuns found, SelectionRule rule, const std::string& format, bool with_cost) {
  tell_sets_apart(found.runs);
  tell_systems_apart(found.runs);
  const char* comment = format == "latex" ? "% " : "";
  bool first = true;
  for (auto& [dataset, table] : protocol_tables(found.runs, rule)) {
    if (with_cost) add_costs(found.runs, dataset, table);
    if (!first) fmt::print("\n");
    if (format != "csv") fmt::print("{}{}, {}\n", comment, dataset, name_of(rule));
    if (format == "markdown") fmt::print("\n");
    fmt::print("{}", formatted(table, format));
    first = false;
  }
  print_list(fmt::format("under-fitted (training accuracy of the last epoch below {:g} %; differences between systems "
                         "say little there)",
                         100 * kFittedAccuracy),
             under_fitted_systems(found.runs), format);
  print_list("runs that are missing", missing_runs(found.runs, rule), format);
  print_list("runs that cannot be read", found.unreadable, format);
}

void check_all_readable(const std::vector<std::string>& unreadable, std::size_t readable) {
  if (unreadable.empty()) return;
  throw FormatError(fmt::format("{} of {} runs cannot be read and are left out; the first: {}", unreadable.size(),
                                unreadable.size() + readable, unreadable.front()));
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
