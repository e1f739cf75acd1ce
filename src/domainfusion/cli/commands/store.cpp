// domainfusion store: what lies in a candidate store, whether it is whole, and what of it can go.

#include "domainfusion/augmentation/candidates/candidate_farm.h"
#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct StoreArguments {
  std::string store;
  std::vector<std::string> runs;
  bool lines = false, missing = false, yes = false;
};

double megabytes(std::int64_t bytes) { return static_cast<double>(bytes) * 1e-6; }

void list_missing(const StoreArguments& arguments) {
  const CandidateStore store(arguments.store);
  std::int64_t missing = 0;
  for (const CandidateJob& job : jobs_of_store(arguments.store)) {
    const std::int64_t of_job = missing_of_job(store, job);
    fmt::print("{}: {} of {} candidates missing\n", job.what, of_job, job.candidates);
    missing += of_job;
  }
  const FarmPace pace = pace_of_store(arguments.store);
  for (const LeaseWorker& worker : pace.workers) fmt::print("at work: {} (process {})\n", worker.host, worker.process);
  const double left = static_cast<double>(missing) / pace.images_per_second;
  fmt::print("{} missing; {} workers make {:.3g} images/s{}\n", missing, pace.workers.size(), pace.images_per_second,
             pace.images_per_second > 0 ? fmt::format(", {} left", format_seconds(left)) : "");
}

void list_store(const StoreArguments& arguments) {
  check<IoError>(fs::is_directory(arguments.store), "'{}' is no folder: name the folder of a candidate store",
                 arguments.store);
  if (arguments.missing) return list_missing(arguments);
  if (arguments.lines) {
    return for_each_provenance(arguments.store,
                               [](const nlohmann::json& line) { fmt::print("{}\n", json_text(line)); });
  }
  std::int64_t entries = 0, bytes = 0;
  for (const StoreGroup& group : groups_of_store(arguments.store)) {
    fmt::print("{}: {} candidates ({} failed) of {} sources, {:.1f} MB, by the LDM {}\n  {}\n", group.purpose,
               group.entries, group.failed, group.sources, megabytes(group.bytes), group.weights_hash.substr(0, 12),
               json_text(group.options));
    entries += group.entries;
    bytes += group.bytes;
  }
  fmt::print("{} candidates, {:.1f} MB in {}\n", entries, megabytes(bytes), arguments.store);
}

void print_verification(const StoreArguments& arguments) {
  const StoreVerification found = verify_store(arguments.store);
  for (const fs::path& file : found.broken) fmt::print("broken: {}\n", file.string());
  fmt::print("{} candidates, {} broken\n", found.entries, found.broken.size());
  check<FormatError>(
      found.broken.empty(),
      "{}: {} candidates are broken; a run that needs them makes them anew, `store gc --yes` removes them",
      arguments.store, found.broken.size());
}

std::optional<std::set<std::string>> used_by(const std::vector<std::string>& runs) {
  if (runs.empty()) return std::nullopt;
  std::set<std::string> used;
  for (const std::string& run : runs) {
    read_run_description(run);  // a mistyped name must not free what the run needs
    used.merge(keys_in_list(fs::path(run) / kCandidateList));
  }
  return used;
}

void collect(const StoreArguments& arguments) {
  const StoreWaste waste = waste_of_store(arguments.store, used_by(arguments.runs));
  for (const fs::path& file : waste.files()) {
    if (arguments.yes) fs::remove(file);
  }
  fmt::print("{} {:.1f} MB: {} files of writers that were killed, {} of broken candidates, {} of unused ones\n",
             arguments.yes ? "removed" : "could be removed (--yes does it):", megabytes(waste.bytes),
             waste.parts.size(), waste.broken.size(), waste.unused.size());
}

Command add_part(Command& store, const char* name, const char* help, const std::shared_ptr<StoreArguments>& arguments,
                 void (*action)(const StoreArguments&)) {
  Command command = store.add(name, help);
  command.option("store", arguments->store, "folder of the store").required();
  command.run([arguments, action] { action(*arguments); });
  return command;
}

}  // namespace

void add_store_command(Command& app) {
  Command store = app.add("store", "a store of generated candidates: list, verify, clean up");
  store.require_command();
  auto arguments = std::make_shared<StoreArguments>();
  Command ls = add_part(store, "ls", "candidates and bytes by purpose, LDM and options", arguments, list_store);
  ls.flag("--lines", arguments->lines, "the provenance of every candidate, one JSON line each");
  ls.flag("--missing", arguments->missing,
          "what `augment` has been asked for and is not there yet, who is at work, and the time left");
  add_part(store, "verify", "hash every file again; exit code 3 if any is broken", arguments, print_verification);
  Command gc = add_part(store, "gc", "remove what writers that were killed left behind, and broken candidates",
                        arguments, collect);
  gc.option("--keep-runs", arguments->runs, "run folders: also remove the candidates that none of them uses").many();
  gc.flag("--yes", arguments->yes, "do it; without: only say what would be removed");
}

}  // namespace domainfusion
