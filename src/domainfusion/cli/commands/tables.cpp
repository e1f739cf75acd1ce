// domainfusion tables: results of many runs, ours and DomainBed's, per held-out domain.
#include <CLI/CLI.hpp>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/result_tables.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/evaluation/tables/domainbed_folder.h"

namespace domainfusion {
namespace {

struct TablesArguments {
  std::vector<std::string> folders;
  std::string format = "text", out;
  SelectionRule rule = SelectionRule::kTrainingDomain;
};

void tables(const TablesArguments& arguments) {
  const std::vector<ProtocolRun> runs = find_runs({arguments.folders.begin(), arguments.folders.end()});
  check<IoError>(!runs.empty(), "no run is in {}: expected folders with run.json (ours) or results.jsonl (DomainBed's)",
                 fmt::join(arguments.folders, ", "));
  if (arguments.format != "domainbed") return print_result_tables(runs, arguments.rule, arguments.format);
  check<ConfigError>(!arguments.out.empty(), "--format domainbed writes a folder: name it with --out");
  const std::size_t written = write_domainbed_runs(runs, arguments.out);
  log_info("{} of {} runs in {}; the others have no figures of their target yet", written, runs.size(), arguments.out);
}

}  // namespace

void add_tables_command(CLI::App& app) {
  auto* command = app.add_subcommand(
      "tables", "accuracy per held-out domain over trials, from folders of runs, ours and DomainBed's");
  auto arguments = std::make_shared<TablesArguments>();
  command->add_option("folders", arguments->folders, "folders below which runs are looked for")->required();
  command->add_option("--format", arguments->format, "domainbed: a folder that DomainBed's collect_results.py reads")
      ->check(CLI::IsMember({"text", "markdown", "latex", "csv", "domainbed"}))
      ->capture_default_str();
  add_selection_option(*command, arguments->rule);
  command->add_option("--out", arguments->out, "folder for --format domainbed");
  command->callback([arguments] { with_context("tables", [&] { tables(*arguments); }); });
}

}  // namespace domainfusion
