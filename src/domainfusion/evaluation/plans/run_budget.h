#pragma once
// What a run will take: steps, images and, by timing a few, hours.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {

// How large a set is, from its images or, where there are none, from what is known of it.
struct SetSizes {
  std::string name;
  std::vector<std::string> domain_names;
  std::vector<std::int64_t> images;  // by domain
  std::int64_t classes = 0;
  std::vector<std::string> class_names;  // empty where not known
  double decoded_bytes = 0;              // of an image, the mean of a few; 0: no images are at hand
};
SetSizes sizes_of(const DomainDataset& dataset, const std::string& name);
// The folder set of `config` if data.root names one, else the known set that `benchmark` names. ConfigError if neither
// does.
SetSizes sizes_of(const TrainingConfig& config);

struct RunBudget {
  std::vector<std::string> sources;
  std::int64_t in_images = 0, out_images = 0, held_out_images = 0;
  std::int64_t held_out_in_images = 0;  // of the target, which is tested on
  std::int64_t steps = 0, images_per_step = 0, steps_per_epoch = 0, validations = 0;
  // Forward passes of validations and the final test, the images of all of them together.
  std::int64_t evaluated_images = 0;
};
// ConfigError if the target is no domain of the set.
RunBudget run_budget(RunSetup& setup, const SetSizes& sizes);

struct StepTimes {
  double train_seconds_per_image = 0;  // forward, backward and Adam
  double evaluate_seconds_per_image = 0;
};
// Trains and evaluates the run's classifier on a few images of noise at the run's size on its device. What the
// algorithm adds and what reading images costs is not in it.
// `images` in a step; 0: a few.
StepTimes measure_step_times(const RunSetup& setup, std::int64_t classes, std::int64_t images = 0);

double estimated_seconds(const RunBudget& budget, const StepTimes& times);

// "ERM on PACS: …", one fact a line.
std::string describe_budget(const RunSetup& setup, const SetSizes& sizes, const RunBudget& budget,
                            const StepTimes& times);

}  // namespace domainfusion
