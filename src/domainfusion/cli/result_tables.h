#pragma once
// What several commands print of runs.

#include <string>
#include <vector>

#include "domainfusion/cli/command.h"
#include "domainfusion/evaluation/tables/protocol_runs.h"
#include "domainfusion/evaluation/tables/selection.h"

namespace domainfusion {

// Tables of the runs on stdout, by set, then which systems are under-fitted, the runs that are missing in them and
// those that cannot be read. `format`: text, markdown, latex or csv. with_cost: images that a run has generated and its
// time, the mean over a system's finished runs, stand beside.
void print_result_tables(FoundRuns found, SelectionRule rule, const std::string& format, bool with_cost = false);

// FormatError that counts the runs that cannot be read (what is wrong with each), once the `readable` ones have been
// put to use.
void check_all_readable(const std::vector<std::string>& unreadable, std::size_t readable);

// --selection training_domain | leave_one_out | oracle.
struct SelectionArgument {
  std::string name = "training_domain";

  void add_to(Command& command);
  SelectionRule rule() const;
};

}  // namespace domainfusion
