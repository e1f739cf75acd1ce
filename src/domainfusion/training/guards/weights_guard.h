#pragma once
// Whether trained weights may have a part in a run: those it starts from, and those of a classifier that judges its
// images. What they were trained on is known where they lie in the folder of the run that trained them.

#include <filesystem>
#include <string>

#include "domainfusion/training/guards/holdout_guard.h"
#include "domainfusion/training/options/training_config.h"

namespace domainfusion {

// `weights`: the file that the option named `option` gives. True if a run.json stands beside it, false if nobody can
// tell what it was trained on. ConfigError unless that run held out all that this run holds out; a warning if it split
// its sources otherwise (trial_seed, holdout_fraction), so that it saw images that select this run's model. FormatError
// if run.json is not that of a run.
bool check_weights_provenance(const std::string& option, const std::filesystem::path& weights,
                              const HoldoutGuard& holdout, const TrainingConfig& config);

// For a classifier that has a say in what the run learns from (augmentation.combine = mode, fds.judge): ConfigError
// also if nobody can tell, and for another split.
void check_judge_provenance(const std::string& option, const std::filesystem::path& weights,
                            const HoldoutGuard& holdout, const TrainingConfig& config);

}  // namespace domainfusion
