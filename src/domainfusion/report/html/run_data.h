#pragma once
// What the page says of one run, from its records.

#include <cstddef>
#include <nlohmann/json.hpp>

#include "domainfusion/evaluation/tables/protocol_runs.h"

namespace domainfusion {

// An entry of "runs" (docs/report-format.md). `run`: of the selected model, as tables call it. Of runs of DomainBed,
// and of those that are only planned, there is a name, a state and figures alone. `most_points`: of a curve. IoError,
// FormatError.
nlohmann::json run_data(const ProtocolRun& run, std::size_t most_points);

}  // namespace domainfusion
