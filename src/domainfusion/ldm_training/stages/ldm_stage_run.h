#pragma once
// A stage of LDM training from its first step, or from its checkpoint, to its last.

#include <filesystem>
#include <functional>
#include <string>

#include "domainfusion/ldm_training/stages/ldm_stage.h"

namespace domainfusion {

struct LdmStageRun {
  std::string name;  // for the progress line
  LdmStageConfig lengths;
  std::function<at::Tensor(std::int64_t step, std::int64_t part)> loss;  // see LdmStage::train_step
  std::filesystem::path checkpoint;  // written to; with `resume` read from where it exists
  bool resume = false;
  std::int64_t checkpoint_every_steps = 500;
  std::function<bool()> should_stop;            // asked before each step; may be empty
  std::function<void(std::int64_t step)> show;  // called with the weight average in the network; may be empty
  std::int64_t show_every_steps = 1000;         // and after the last step
};

// Leaves the weight average in the network and returns true; or, stopped, writes a checkpoint and returns false. Errors
// of LdmStage.
bool run_ldm_stage(LdmStage& stage, const LdmStageRun& run);

}  // namespace domainfusion
