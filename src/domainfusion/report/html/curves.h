#pragma once
// A run's figures over its steps, thinned to what a plot can show.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "domainfusion/training/records/run_cost.h"

namespace domainfusion {

// {"training": curve, "validation": curve, "cost": curve}, a curve being {"steps": [N], "values": {NAME: [N]}} with
// steps done and null where a figure is absent. Of `records` (lines of records.jsonl) the steps and the validations of
// the model in training; figures of steps are means over equal parts of the run, at most `most_points` of them.
nlohmann::json curves_of(const std::vector<nlohmann::json>& records, const RunCost& cost, std::size_t most_points);

// To five digits; null where it is not finite.
nlohmann::json short_number(double value);

}  // namespace domainfusion
