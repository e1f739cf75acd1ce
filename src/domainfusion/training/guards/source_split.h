#pragma once
// Which domains are held out, and what of the others a run learns from and selects on.

#include <memory>
#include <vector>

#include "domainfusion/data/protocol/split.h"
#include "domainfusion/training/guards/holdout_guard.h"
#include "domainfusion/training/options/training_config.h"

namespace domainfusion {

struct SourceSplit {
  std::vector<std::int64_t> held_out;  // the target, then the cross-validation domain where there is one
  std::vector<std::int64_t> sources;
  std::vector<Split> splits;                                   // by domain of the set
  std::shared_ptr<const DomainDataset> source_in, source_out;  // views that reach nothing else
  std::unique_ptr<HoldoutGuard> guard;
};

// ConfigError: no or unknown test domain, too few domains; what holdout_split throws, with the domain's name.
SourceSplit split_sources(const std::shared_ptr<const DomainDataset>& dataset, const TrainingConfig& config);

}  // namespace domainfusion
