#include "domainfusion/ldm_training/stages/ldm_stage_run.h"

#include <fmt/format.h>

#include "domainfusion/core/progress.h"
#include "domainfusion/distributed/ranks.h"
#include "domainfusion/nn/memory/tensor_memory.h"

namespace domainfusion {

bool run_ldm_stage(LdmStage& stage, const LdmStageRun& run) {
  const KeptTensorMemory memory;
  std::filesystem::create_directories(run.checkpoint.parent_path());
  if (run.resume && std::filesystem::exists(run.checkpoint)) stage.load(run.checkpoint);
  if (current_ranks() != nullptr) stage.copy_from_first(*current_ranks());
  const auto save = [&] {
    if (writes_results()) stage.save(run.checkpoint);
  };
  Progress progress(run.name, run.lengths.steps, "images", static_cast<double>(run.lengths.batch_size), stage.step());
  double average = 0, weight = 0;
  while (!stage.finished()) {
    if (any_rank(run.should_stop && run.should_stop())) {
      save();
      return false;
    }
    const double loss = stage.train_step([&](std::int64_t part) { return run.loss(stage.step(), part); });
    average = 0.99 * average + 0.01 * loss;
    weight = 0.99 * weight + 0.01;
    progress.update(stage.step(), fmt::format("loss {:.4f}", average / weight));
    if (run.show && (stage.finished() || stage.step() % run.show_every_steps == 0)) {
      stage.with_average([&] { run.show(stage.step()); });
    }
    if (stage.finished() || stage.step() % run.checkpoint_every_steps == 0) save();
  }
  progress.finish(weight > 0 ? fmt::format("loss {:.4f}", average / weight) : "done before");
  stage.use_average();
  return true;
}

}  // namespace domainfusion
