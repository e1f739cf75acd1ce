#pragma once
// Which runs are of one system: what tables call it.

#include <vector>

#include "domainfusion/evaluation/tables/protocol_runs.h"

namespace domainfusion {

// Runs of ours that share set and algorithm but differ in options (beyond seeds, target, hyper-parameters drawn by a
// seed, and what changes no number) get algorithm names that say the difference: "ERM (classifier.width=16)". Runs that
// then still agree in target, trial and hyper-parameter seed become trials of their own where their training seeds
// differ, and systems of their own, named after their folders, where they do not. Runs of which there is only a plan
// take no part.
void tell_systems_apart(std::vector<ProtocolRun>& runs);

// ConfigError that names two runs which agree in set, algorithm, target, trial and hyper-parameter seed, if there are
// such.
void check_unambiguous(const std::vector<ProtocolRun>& runs);

}  // namespace domainfusion
