#pragma once
// What several commands print of runs.

#include <string>
#include <vector>

#include "domainfusion/evaluation/tables/protocol_runs.h"
#include "domainfusion/evaluation/tables/selection.h"

namespace CLI {
class App;
}

namespace domainfusion {

// Tables of `runs` on stdout, by set, and the runs that are missing in them. `format`: text, markdown, latex or csv.
void print_result_tables(std::vector<ProtocolRun> runs, SelectionRule rule, const std::string& format);

// Adds --selection training_domain | leave_one_out | oracle.
void add_selection_option(CLI::App& command, SelectionRule& rule);

}  // namespace domainfusion
