#pragma once
// What several commands print of runs.

#include <string>
#include <vector>

#include "domainfusion/cli/command.h"
#include "domainfusion/evaluation/tables/protocol_runs.h"
#include "domainfusion/evaluation/tables/selection.h"

namespace domainfusion {

// Tables of `runs` on stdout, by set, and the runs that are missing in them. `format`: text, markdown, latex or csv.
void print_result_tables(std::vector<ProtocolRun> runs, SelectionRule rule, const std::string& format);

// --selection training_domain | leave_one_out | oracle.
struct SelectionArgument {
  std::string name = "training_domain";

  void add_to(Command& command);
  SelectionRule rule() const;
};

}  // namespace domainfusion
