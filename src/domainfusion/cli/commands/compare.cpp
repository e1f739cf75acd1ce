// domainfusion compare: what two groups of runs differ in, and whether that shows beyond the noise of seeds.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/result_tables.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/evaluation/tables/run_comparison.h"
#include "domainfusion/evaluation/tables/system_names.h"

namespace domainfusion {
namespace {

struct CompareArguments {
  std::string a, b, system_a, system_b;
  SelectionArgument selection;
};

// The runs in a folder; those that cannot be read are named.
std::vector<ProtocolRun> runs_in(const std::string& folder) {
  FoundRuns found = find_runs({folder});
  for (const std::string& what : found.unreadable) log_warning("left out: {}", what);
  check<IoError>(!found.runs.empty(), "no run is in '{}'", folder);
  return std::move(found.runs);
}

// Runs of both sides; sets are told apart among all of them.
std::pair<std::vector<ProtocolRun>, std::vector<ProtocolRun>> both_sides(const std::string& a, const std::string& b) {
  std::vector<ProtocolRun> of_a = runs_in(a), of_b = runs_in(b), all = of_a;
  all.insert(all.end(), of_b.begin(), of_b.end());
  tell_sets_apart(all);
  const auto border = all.begin() + std::ssize(of_a);
  return {{all.begin(), border}, {border, all.end()}};
}

std::vector<ProtocolRun> side(std::vector<ProtocolRun> runs, const std::string& folder, const std::string& system) {
  tell_systems_apart(runs);
  if (system.empty()) return runs;
  std::erase_if(runs, [&](const ProtocolRun& run) { return run.algorithm != system; });
  check<ConfigError>(!runs.empty(), "no run of the system '{}' is in '{}'; `domainfusion tables` lists them", system,
                     folder);
  return runs;
}

void compare(const CompareArguments& arguments) {
  auto [of_a, of_b] = both_sides(arguments.a, arguments.b);
  const auto a = side(std::move(of_a), arguments.a, arguments.system_a);
  const auto b = side(std::move(of_b), arguments.b, arguments.system_b);
  const std::vector<std::string> lines = differences(a, b);
  fmt::print("A: {}, {} runs\nB: {}, {} runs\n", arguments.a, a.size(), arguments.b, b.size());
  fmt::print("{}", lines.empty() ? "options, code, data and weights are the same\n" : "what differs (A | B):\n");
  for (const std::string& line : lines) fmt::print("  {}\n", line);
  fmt::print("\n{}", describe_gap(paired_figures(a, b, arguments.selection.rule())));
}

}  // namespace

void add_compare_command(Command& app) {
  Command command = app.add("compare",
                            "what two runs or folders of runs differ in, and whether their gap is larger than chance "
                            "explains (paired t-test)");
  auto arguments = std::make_shared<CompareArguments>();
  command.option("a", arguments->a, "run folder, or folder of runs").required();
  command.option("b", arguments->b, "the same").required();
  command.option("--system-a", arguments->system_a, "row of `domainfusion tables`, where A holds several systems");
  command.option("--system-b", arguments->system_b, "the same for B");
  arguments->selection.add_to(command);
  command.run([arguments] { compare(*arguments); });
}

}  // namespace domainfusion
