// domainfusion tables: results of many runs, ours and DomainBed's, per held-out domain.

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
  SelectionArgument selection;
};

void tables(const TablesArguments& arguments) {
  const std::vector<ProtocolRun> runs = find_runs({arguments.folders.begin(), arguments.folders.end()});
  check<IoError>(!runs.empty(), "no run is in {}: expected folders with run.json (ours) or results.jsonl (DomainBed's)",
                 fmt::join(arguments.folders, ", "));
  if (arguments.format != "domainbed") return print_result_tables(runs, arguments.selection.rule(), arguments.format);
  check<ConfigError>(!arguments.out.empty(), "--format domainbed writes a folder: name it with --out");
  const std::size_t written = write_domainbed_runs(runs, arguments.out);
  log_info("{} of {} runs in {}; the others have no figures of their target yet", written, runs.size(), arguments.out);
}

}  // namespace

void add_tables_command(Command& app) {
  Command command =
      app.add("tables", "accuracy per held-out domain over trials, from folders of runs, ours and DomainBed's");
  auto arguments = std::make_shared<TablesArguments>();
  command.option("folders", arguments->folders, "folders below which runs are looked for").required();
  command.option("--format", arguments->format, "domainbed: a folder that DomainBed's collect_results.py reads")
      .one_of({"text", "markdown", "latex", "csv", "domainbed"})
      .default_shown();
  arguments->selection.add_to(command);
  command.option("--out", arguments->out, "folder for --format domainbed");
  command.run([arguments] { tables(*arguments); });
}

}  // namespace domainfusion
