// domainfusion compare: what two groups of runs differ in, and whether that shows beyond the noise of seeds.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/result_tables.h"
#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/tables/run_comparison.h"
#include "domainfusion/evaluation/tables/system_names.h"

namespace domainfusion {
namespace {

struct CompareArguments {
  std::string a, b, system_a, system_b;
  SelectionArgument selection;
};

std::vector<ProtocolRun> side(const std::string& folder, const std::string& system) {
  std::vector<ProtocolRun> runs = find_runs({folder});
  check<IoError>(!runs.empty(), "no run is in '{}'", folder);
  tell_systems_apart(runs);
  if (system.empty()) return runs;
  std::erase_if(runs, [&](const ProtocolRun& run) { return run.algorithm != system; });
  check<ConfigError>(!runs.empty(), "no run of the system '{}' is in '{}'; `domainfusion tables` lists them", system,
                     folder);
  return runs;
}

void compare(const CompareArguments& arguments) {
  const auto a = side(arguments.a, arguments.system_a), b = side(arguments.b, arguments.system_b);
  const std::vector<std::string> lines = differences(a, b);
  fmt::print("A: {}, {} runs\nB: {}, {} runs\n", arguments.a, a.size(), arguments.b, b.size());
  fmt::print("{}", lines.empty() ? "options, code, data and weights are the same\n" : "what differs (A | B):\n");
  for (const std::string& line : lines) fmt::print("  {}\n", line);
  fmt::print("\n{}", describe_gap(paired_figures(a, b, arguments.selection.rule())));
}

}  // namespace

void add_compare_command(Command& app) {
  Command command =
      app.add("compare",
              "what two runs or folders of runs differ in, and whether their gap is inside seed noise (paired t-test)");
  auto arguments = std::make_shared<CompareArguments>();
  command.option("a", arguments->a, "run folder, or folder of runs").required();
  command.option("b", arguments->b, "the same").required();
  command.option("--system-a", arguments->system_a, "row of `domainfusion tables`, where A holds several systems");
  command.option("--system-b", arguments->system_b, "the same for B");
  arguments->selection.add_to(command);
  command.run([arguments] { compare(*arguments); });
}

}  // namespace domainfusion
