#pragma once
// What several commands print of runs.

#include <string>
#include <vector>

#include "domainfusion/evaluation/protocol_runs.h"
#include "domainfusion/evaluation/selection.h"

namespace domainfusion {

// Tables of `runs` on stdout, by set, and the runs that are missing in them. `format`: text, markdown, latex or csv.
void print_result_tables(std::vector<ProtocolRun> runs, SelectionRule rule, const std::string& format);

}  // namespace domainfusion
