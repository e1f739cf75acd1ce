#pragma once
// Which runs are of one set and of one system: what tables call these.

#include <vector>

#include "domainfusion/evaluation/tables/protocol_runs.h"
#include "domainfusion/evaluation/tables/run_result.h"

namespace domainfusion {

// Runs of different sets that have one name are named apart (set_names.h); of the runs of a table or a comparison, all
// together, and before tell_systems_apart().
void tell_sets_apart(std::vector<ProtocolRun>& runs);
void tell_sets_apart(std::vector<RunResult>& runs);

// Runs of ours that share set and algorithm but differ in options (beyond seeds, target, and what changes no number)
// get algorithm names that say the difference: "ERM (classifier.width=16)". A hyper-parameter that DomainBed's registry
// draws differs where some runs follow the draw and others do not: "ERM (optimizer.lr=drawn)". Weights and LDMs count
// by their content, and differ where runs of one target have several. Runs that then still agree in target, trial and
// hyper-parameter seed become trials of their own where their training seeds differ, and systems of their own, named
// after their folders, where they do not. Runs of which there is only a plan take no part.
void tell_systems_apart(std::vector<ProtocolRun>& runs);

// ConfigError that names two runs which agree in set, algorithm, target, trial and hyper-parameter seed, if there are
// such.
void check_unambiguous(const std::vector<ProtocolRun>& runs);

}  // namespace domainfusion
