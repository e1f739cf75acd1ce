#pragma once
// Tables of accuracy per held-out domain, with what is missing in them.

#include <map>
#include <string>
#include <vector>

#include "domainfusion/evaluation/tables/protocol_runs.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/evaluation/tables/selection.h"

namespace domainfusion {

// By set: systems (rows) and held-out domains (columns, those that any run of the set has), mean and standard error
// over trials of the accuracy of the models that `rule` selects; rows of a table of several sweeps in its order, under
// their groups. Every system is expected to have, in each column, the
// trials that it has anywhere.
std::map<std::string, ResultTable> protocol_tables(const std::vector<ProtocolRun>& runs, SelectionRule rule);

// What an empty cell, or one of fewer trials than expected, waits for: sentences such as
// "PACS, ERM, sketch, trial 2: hparams 0 stopped after 300 steps; hparams 1, 3 not started". A system is expected to
// have, for each trial that it has anywhere, the hparams seeds that it has anywhere; for leave-one-domain-out, also
// with each other domain held out.
std::vector<std::string> missing_runs(const std::vector<ProtocolRun>& runs, SelectionRule rule);

}  // namespace domainfusion
