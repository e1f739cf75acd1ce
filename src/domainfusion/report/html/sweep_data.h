#pragma once
// What the page says of many runs together: tables, differences between systems, what is missing.

#include <nlohmann/json.hpp>

#include "domainfusion/evaluation/tables/protocol_runs.h"

namespace domainfusion {

// {"tables", "comparisons", "missing"} (docs/report-format.md) of runs whose sets and systems have been told apart, for
// each rule of selection that chooses anything. Systems are compared in pairs; where there are more than twelve, with
// the first alone.
nlohmann::json sweep_data(const std::vector<ProtocolRun>& runs);

}  // namespace domainfusion
