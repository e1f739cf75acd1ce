#pragma once
// What a run will cost, beside what other systems would generate and beside what a finished run has really cost.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/evaluation/plans/run_budget.h"
#include "domainfusion/evaluation/tables/run_result.h"

namespace domainfusion {

struct RunPlan {
  std::string algorithm;
  RunBudget budget;
  PlannedWork work{};
  std::int64_t cdga_images = 0;                              // what CDGA generates for these sources, one copy a pair
  std::int64_t fds_images = 0;                               // what FDS generates
  double training_seconds = 0;                               // classifier: training, validation, test
  double evaluation_seconds = 0;                             // of them, validation and test
  double train_seconds_per_image = 0;                        // of a step at the full batch
  double gradient_bytes = 0;                                 // of the classifier
  std::optional<double> ldm_seconds{};                       // absent: an LDM is needed and none is given
  nlohmann::json ldm_scheduler = WorkSizes().ldm_scheduler;  // of its folder
  std::optional<GenerationTimes> ldm_times{};                // absent: no LDM is given
  GenerationMemory ldm_memory{};
  double curves_mib = 0;  // the latent curves of distillation, at the K that most encoders need
  double loaded_mib = 0;  // resident with the LDM's weights and the decoded images that are kept
  double step_mib = 0;    // what a training step at the full batch adds
  // Of training beside the loaded LDM and its largest batch. Without what gradients through the LDM need.
  double peak_memory_mib = 0;
  double disk_mib = 0;  // at most: models, checkpoint, generated images uncompressed

  double seconds() const { return training_seconds + ldm_seconds.value_or(0); }
  nlohmann::json to_json() const;
};

// FDS makes 32,000 images of each class for each pair of source domains, 16,000 on OfficeHome (its released scripts:
// 1,600 and 800 batches of 20).
std::int64_t fds_images(std::int64_t sources, std::int64_t classes, const std::string& dataset);

// What plan_run counts, without a clock and without the LDM's files. Of what depends on the LDM's scheduler, steps
// through the U-Net alone do. ConfigError if the target is no domain of the set.
RunPlan count_run(RunSetup& setup, const SetSizes& sizes,
                  const nlohmann::json& ldm_scheduler = WorkSizes().ldm_scheduler, at::Device device = at::kCPU);

// Counts, and times one training step at the full batch and one pass through each part of the LDM that the setup names.
// ConfigError if the target is no domain of the set; what LatentDiffusion::load throws.
RunPlan plan_run(RunSetup& setup, const SetSizes& sizes);

// A plan of ERM with DSI behind it, as `finetune` and `dsi` do it with their default options: one model for each source
// domain, and translations of the target's IN images; at most, since images whose answer is accepted are translated no
// further.
RunPlan with_dsi(RunPlan erm);

// Rows of text_table(): one plan a column.
std::vector<std::vector<std::string>> plan_cells(const std::vector<RunPlan>& plans);

// What a finished run has really cost. IoError if it is no run folder.
struct RealCost {
  std::int64_t generated_images = 0;
  double seconds = 0, peak_memory_mib = 0, disk_mib = 0;
};
RealCost real_cost(const std::filesystem::path& run);
RealCost real_cost(const RunResult& run);

// The plan of a run's own options beside its real cost, made now on this machine.
std::vector<std::vector<std::string>> plan_beside_real_cells(const RunPlan& plan, const RealCost& real);

}  // namespace domainfusion
