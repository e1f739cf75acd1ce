#pragma once
// Runs as DomainBed's train.py would have left them.

#include <filesystem>
#include <vector>

#include "domainfusion/evaluation/tables/protocol_runs.h"

namespace domainfusion {

// Writes FOLDER/<run>/results.jsonl and, for finished runs, FOLDER/<run>/done, for DomainBed's collect_results.py: of
// each run the steps at which all its held-out domains were evaluated. Figures that are not known (the sources' IN
// splits) are left out; no selection rule reads them. Returns the number of runs written; runs without any such step
// are passed over. ConfigError if runs cannot be told apart in DomainBed's terms, or if FOLDER is not empty. IoError.
std::size_t write_domainbed_runs(const std::vector<ProtocolRun>& runs, const std::filesystem::path& folder);

}  // namespace domainfusion
