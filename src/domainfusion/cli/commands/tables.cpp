// domainfusion tables: results of many runs, ours and DomainBed's, per held-out domain.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/result_tables.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/evaluation/tables/domainbed_folder.h"
#include "domainfusion/evaluation/tables/system_names.h"

namespace domainfusion {
namespace {

struct TablesArguments {
  std::vector<std::string> folders;
  std::string format = "text", out;
  SelectionArgument selection;
  bool cost = false;
};

void tables(const TablesArguments& arguments) {
  FoundRuns found = find_runs({arguments.folders.begin(), arguments.folders.end()});
  check<IoError>(!found.runs.empty() || !found.unreadable.empty(),
                 "no run is in {}: expected folders with run.json (ours) or results.jsonl (DomainBed's)",
                 fmt::join(arguments.folders, ", "));
  if (arguments.format != "domainbed") {
    print_result_tables(found, arguments.selection.rule(), arguments.format, arguments.cost);
    return check_all_readable(found.unreadable, found.runs.size());
  }
  check<ConfigError>(!arguments.out.empty(), "--format domainbed writes a folder: name it with --out");
  tell_sets_apart(found.runs);
  const std::size_t written = write_domainbed_runs(found.runs, arguments.out);
  log_info("{} of {} runs in {}; the others have no figures of their target yet", written, found.runs.size(),
           arguments.out);
  check_all_readable(found.unreadable, found.runs.size());
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
  command.flag("--cost", arguments->cost, "images that a run has generated, and its time, beside the figures");
  command.option("--out", arguments->out, "folder for --format domainbed");
  command.run([arguments] { tables(*arguments); });
}

}  // namespace domainfusion
