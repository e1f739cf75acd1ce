#pragma once
// Whether a trained classifier may have a say in what a run learns from (augmentation.combine = mode).

#include <filesystem>

#include "domainfusion/training/guards/holdout_guard.h"
#include "domainfusion/training/options/training_config.h"

namespace domainfusion {

// `weights`: best.safetensors in the folder of a run. ConfigError unless that run's run.json stands beside it and says
// that it held out all that this run holds out, and split its sources by the same trial_seed and holdout_fraction: else
// it may have learned from images that this run must not use.
void check_judge_provenance(const std::filesystem::path& weights, const HoldoutGuard& holdout,
                            const TrainingConfig& config);

}  // namespace domainfusion
