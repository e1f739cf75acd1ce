#pragma once
// Finds runs below folders, ours and DomainBed's, and brings them into one form.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/evaluation/tables/protocol_record.h"

namespace domainfusion {

struct ProtocolRun {
  std::filesystem::path path;
  std::string dataset, algorithm;              // DomainBed's names where there are such ("PACS", "ERM")
  std::vector<std::string> environments;       // domain names in order; empty where not known
  std::vector<std::string> classes;            // likewise
  std::map<std::string, std::int64_t> images;  // by domain; likewise
  std::vector<std::int64_t> test_envs;
  std::int64_t trial_seed = 0, hparams_seed = 0;
  std::int64_t seed = 0;   // of training
  std::string group;       // of the sweep (SweepRequest)
  std::int64_t place = 0;  // likewise
  bool finished = false;
  bool under_fitted = false;     // FitRecord of a finished run; false where it is not known
  std::int64_t last_step = -1;   // from 0; -1 before the first record
  nlohmann::json args, hparams;  // as DomainBed writes them
  nlohmann::json config;         // of our runs; null for DomainBed's
  nlohmann::json provenance;     // likewise (training/provenance.h)
  std::vector<ProtocolRecord> records;
  std::vector<nlohmann::json>
      more;  // one per record: what else a line of DomainBed's results.jsonl holds ("loss", "epoch")
};

struct FoundRuns {
  std::vector<ProtocolRun> runs;        // in order of path
  std::vector<std::string> unreadable;  // "'PATH': what is wrong" of runs and plans that are broken
};

// A folder with sweep.json adds the runs that are planned there and not begun (without records). A folder with run.json
// is a run of ours, one with results.jsonl one of DomainBed's; other folders are searched, each once, whatever links
// lead there. A run
// of ours whose weights were averaged (averaging.method) is two: of the selected model, and of the average under
// "ALGORITHM + METHOD"; one that `domainfusion dsi` looked at has DSI's figures as "ALGORITHM + dsi" besides. Of our
// runs only records are made whose figures are complete for some rule: those with figures of the target. Sub-folders
// that hold no run are passed over, and with a warning those that may not be looked into. IoError if a folder is
// missing.
FoundRuns find_runs(const std::vector<std::filesystem::path>& folders);

// Changes the name or the number in the run and in its records.
void rename_set(ProtocolRun& run, const std::string& name);
void rename_algorithm(ProtocolRun& run, const std::string& name);
void renumber_trial(ProtocolRun& run, std::int64_t trial);

// All records of `runs`.
std::vector<ProtocolRecord> records_of(const std::vector<ProtocolRun>& runs);

}  // namespace domainfusion
