// domainfusion tables: results of many runs, ours and DomainBed's, per held-out domain.
#include <CLI/CLI.hpp>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/evaluation/domainbed_folder.h"
#include "domainfusion/evaluation/protocol_table.h"
#include "domainfusion/evaluation/system_names.h"

namespace domainfusion {
namespace {

struct TablesArguments {
  std::vector<std::filesystem::path> folders;
  std::string format = "text", out;
  SelectionRule rule = SelectionRule::kTrainingDomain;
};

std::string formatted(const ResultTable& table, const std::string& format) {
  if (format == "markdown") return table.markdown();
  if (format == "latex") return table.latex();
  return format == "csv" ? table.csv() : table.text();
}

void print_missing(const std::vector<ProtocolRun>& runs, const TablesArguments& arguments) {
  const std::vector<std::string> missing = missing_runs(runs, arguments.rule);
  if (missing.empty()) return;
  // A file of numbers holds numbers.
  std::FILE* place = arguments.format == "csv" ? stderr : stdout;
  const char* comment = arguments.format == "latex" ? "% " : "";
  fmt::print(place, "\n{}runs that are missing:\n", comment);
  for (const std::string& line : missing)
    fmt::print(place, "{}{}{}\n", comment, arguments.format == "markdown" ? "- " : "  ", line);
}

void print_tables(std::vector<ProtocolRun> runs, const TablesArguments& arguments) {
  tell_systems_apart(runs);
  const char* comment = arguments.format == "latex" ? "% " : "";
  bool first = true;
  for (const auto& [dataset, table] : protocol_tables(runs, arguments.rule)) {
    if (!first) fmt::print("\n");
    if (arguments.format != "csv") fmt::print("{}{}, {}\n", comment, dataset, name_of(arguments.rule));
    if (arguments.format == "markdown") fmt::print("\n");
    fmt::print("{}", formatted(table, arguments.format));
    first = false;
  }
  print_missing(runs, arguments);
}

void tables(const TablesArguments& arguments) {
  const std::vector<ProtocolRun> runs = find_runs(arguments.folders);
  check<IoError>(!runs.empty(), "no run is in {}: expected folders with run.json (ours) or results.jsonl (DomainBed's)",
                 fmt::join(arguments.folders, ", "));
  if (arguments.format != "domainbed") return print_tables(runs, arguments);
  check<ConfigError>(!arguments.out.empty(), "--format domainbed writes a folder: name it with --out");
  const std::size_t written = write_domainbed_runs(runs, arguments.out);
  log_info("{} of {} runs in {}; the others have no figures of their target yet", written, runs.size(), arguments.out);
}

}  // namespace

void add_tables_command(CLI::App& app) {
  auto* command = app.add_subcommand(
      "tables", "accuracy per held-out domain over trials, from folders of runs, ours and DomainBed's");
  auto arguments = std::make_shared<TablesArguments>();
  const std::map<std::string, SelectionRule> rules{{"training_domain", SelectionRule::kTrainingDomain},
                                                   {"leave_one_out", SelectionRule::kLeaveOneOut},
                                                   {"oracle", SelectionRule::kOracle}};
  command->add_option("folders", arguments->folders, "folders below which runs are looked for")->required();
  command->add_option("--format", arguments->format, "domainbed: a folder that DomainBed's collect_results.py reads")
      ->check(CLI::IsMember({"text", "markdown", "latex", "csv", "domainbed"}))
      ->capture_default_str();
  command
      ->add_option("--selection", arguments->rule,
                   "rule that chooses hyper-parameters and checkpoints; oracle looks at the target")
      ->transform(CLI::CheckedTransformer(rules))
      ->default_str("training_domain");
  command->add_option("--out", arguments->out, "folder for --format domainbed");
  command->callback([arguments] { with_context("tables", [&] { tables(*arguments); }); });
}

}  // namespace domainfusion
