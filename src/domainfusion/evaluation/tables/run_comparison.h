#pragma once
// Two groups of runs side by side: what they differ in, and whether their figures do by more than chance explains.

#include <string>
#include <vector>

#include "domainfusion/evaluation/tables/protocol_runs.h"
#include "domainfusion/evaluation/tables/selection.h"
#include "domainfusion/metrics/paired_test.h"

namespace domainfusion {

// "optimizer.lr: 0.001 | 0.0005": an entry of config, code, data or weights whose values in `a` are not those in `b`;
// "a, b" where a group has several. What changes no number (data.root, loader.workers) is passed over, and so are runs
// of DomainBed.
std::vector<std::string> differences(const std::vector<ProtocolRun>& a, const std::vector<ProtocolRun>& b);

struct PairedFigures {
  std::string target;
  std::int64_t trial_seed = 0;
  double a = 0, b = 0;  // accuracy on the target of the selected models, [0, 1]
};
// The trials that both groups have, by set, target and trial seed. ConfigError if a group holds several systems (call
// tell_systems_apart first): it names them.
std::vector<PairedFigures> paired_figures(const std::vector<ProtocolRun>& a, const std::vector<ProtocolRun>& b,
                                          SelectionRule rule);

// The figures in percent, one pair a line, and the verdict of Student's paired t-test. A pair is a target and a trial,
// so its scatter is that of targets and of seeds together; pairs share images of training and are not independent,
// which makes p too small rather than too large. No verdict with fewer than three pairs or where all differences are
// equal.
std::string describe_gap(const std::vector<PairedFigures>& pairs);

}  // namespace domainfusion
