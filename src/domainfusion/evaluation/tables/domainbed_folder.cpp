#include "domainfusion/evaluation/tables/domainbed_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/evaluation/tables/system_names.h"
#include "domainfusion/io/files/atomic_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_complete(const ProtocolRecord& record) {
  for (std::size_t env = 0; env < record.out_acc.size(); ++env) {
    const bool held_out = std::find(record.test_envs.begin(), record.test_envs.end(), static_cast<std::int64_t>(env)) !=
                          record.test_envs.end();
    if (std::isnan(record.out_acc[env]) || (held_out && std::isnan(record.in_acc[env]))) return false;
  }
  return true;
}

// Of runs without DomainBed's hyper-parameters, the three that they certainly have.
json hparams_of(const ProtocolRun& run) {
  if (!run.hparams.is_null() || !run.config.is_object()) return run.hparams;
  const auto option = [&](const char* pointer) { return run.config.value(json::json_pointer(pointer), json()); };
  return {{"lr", option("/optimizer/lr")},
          {"weight_decay", option("/optimizer/weight_decay")},
          {"batch_size", option("/loader/batch_size")}};
}

std::string results_of(const ProtocolRun& run) {
  std::string lines;
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    if (!is_complete(run.records[i])) continue;
    json line = to_json(run.records[i]);
    line.update(run.more[i]);
    line["args"].update(run.args);
    line["hparams"] = hparams_of(run);
    lines += json_text(line) + "\n";
  }
  return lines;
}

// The run's own folder name where that is free.
fs::path folder_for(const ProtocolRun& run, const fs::path& folder) {
  const std::string name = run.path.filename().string();
  fs::path place = folder / name;
  for (int number = 2; fs::exists(place); ++number) place = folder / fmt::format("{}-{}", name, number);
  return place;
}

}  // namespace

std::size_t write_domainbed_runs(const std::vector<ProtocolRun>& runs, const fs::path& folder) {
  check_unambiguous(runs);
  check<ConfigError>(!fs::exists(folder) || fs::is_empty(folder), "'{}' is not empty: choose another --out",
                     folder.string());
  fs::create_directories(folder);
  std::size_t written = 0;
  for (const ProtocolRun& run : runs) {
    const std::string lines = results_of(run);
    if (lines.empty()) continue;
    const fs::path place = folder_for(run, folder);
    fs::create_directories(place);
    write_file_atomically(place / "results.jsonl", lines);
    if (run.finished) write_file_atomically(place / "done", "done");
    ++written;
  }
  return written;
}

}  // namespace domainfusion
