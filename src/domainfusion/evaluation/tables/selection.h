#pragma once
// DomainBed's three rules of model selection (Gulrajani & Lopez-Paz, ICLR 2021, section 3), over hyper-parameters and
// checkpoints, all from the same records and equal to its model_selection.py, ties included.

#include <span>
#include <string>
#include <vector>

#include "domainfusion/evaluation/tables/protocol_record.h"

namespace domainfusion {

enum class SelectionRule {
  kTrainingDomain,  // mean accuracy on the OUT images of the domains that were trained on; any checkpoint
  kLeaveOneOut,  // mean over the other domains v of the accuracy on v's IN images of the run that held v out too; any
                 // checkpoint
  kOracle,       // accuracy on the target's own OUT images; the last checkpoint. It looks at the target: no fair rule
};

// What a rule chose in the runs of one hyper-parameter seed.
struct Choice {
  std::int64_t hparams_seed = 0;
  std::int64_t step = 0;
  double val_acc = 0;   // what was maximised
  double test_acc = 0;  // on the target's IN images
};

// One trial of one target: the choice of each hyper-parameter seed, the best first. Seeds without a choice (no run, or
// a run whose figures a rule needs are not known) are left out.
struct SelectedTrial {
  std::int64_t trial_seed = 0;
  std::string dataset, algorithm;
  std::int64_t test_env = 0;
  std::vector<Choice> ranked;
};

// By trial, dataset, algorithm and target, in this order; trials without any choice are left out. Ties: within a run
// the first checkpoint wins, between hyper-parameter seeds the largest.
std::vector<SelectedTrial> select_models(SelectionRule rule, std::span<const ProtocolRecord> records);

// "training-domain validation", "leave-one-domain-out cross-validation", "test-domain validation (ORACLE)"
std::string name_of(SelectionRule rule);

}  // namespace domainfusion
