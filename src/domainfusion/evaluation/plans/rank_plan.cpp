#include "domainfusion/evaluation/plans/rank_plan.h"

#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "domainfusion/core/progress.h"
#include "domainfusion/distributed/gradient_buckets.h"

namespace domainfusion {
namespace {

constexpr int kTimedSums = 4;
constexpr double kShareOfBackward = 2.0 / 3;  // of a training step: two products of matrices for each of forward's

std::string megabytes(double bytes) { return fmt::format("{:.1f} MB", 1e-6 * bytes); }

}  // namespace

double measure_rate_of_sums(Ranks& ranks) {
  const at::Tensor values = torch::zeros({GradientBuckets::kBucketBytes / 4});
  ranks.sum(values);  // prepares connections and memory
  double best = 0;
  for (int i = 0; i < kTimedSums; ++i) {
    ranks.meet();
    const auto start = std::chrono::steady_clock::now();
    ranks.sum(values);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, bytes_of_sum(static_cast<double>(values.nbytes()), ranks.size()) / seconds);
  }
  return best;
}

double bytes_of_sum(double bytes, std::int64_t ranks) {
  return 2 * bytes * static_cast<double>(ranks - 1) / static_cast<double>(ranks);
}

double waited_for_sums(double bytes, std::int64_t ranks, double bytes_per_second, double step_seconds) {
  const double all = bytes_of_sum(bytes, ranks) / bytes_per_second;
  const double buckets = std::ceil(bytes / static_cast<double>(GradientBuckets::kBucketBytes));
  return buckets > 0 ? std::max(all / buckets, all - kShareOfBackward * step_seconds) : 0;
}

RankPlan plan_ranks(const RunSetup& setup, const SetSizes& sizes, const RunPlan& plan, std::int64_t ranks,
                    double bytes_per_second) {
  const RunBudget& budget = plan.budget;
  check<ConfigError>(ranks <= budget.images_per_step, "--ranks {}: a step has {} images, so that some would have none",
                     ranks, budget.images_per_step);
  RankPlan several{.ranks = ranks, .shares_batches = setup.algorithm->splits_batches()};
  const auto n = static_cast<double>(ranks), steps = static_cast<double>(budget.steps);
  // Validations are shared out in either case.
  const double evaluation = plan.evaluation_seconds / n;
  double step_seconds = (plan.training_seconds - plan.evaluation_seconds) / steps;
  several.rows_of_step = static_cast<double>(budget.images_per_step);
  several.memory_mib = plan.peak_memory_mib;
  if (several.shares_batches) {
    // A small batch is slower by the image: measured, not divided.
    const auto rows = static_cast<std::int64_t>(std::ceil(several.rows_of_step / n));
    const double of_own_rows = measure_step_times(setup, sizes.classes, rows).train_seconds_per_image;
    step_seconds *= of_own_rows / plan.train_seconds_per_image / n;
    several.rows_of_step /= n;
    several.bytes_of_step = bytes_of_sum(plan.gradient_bytes, ranks);
    several.waited_seconds = waited_for_sums(plan.gradient_bytes, ranks, bytes_per_second, step_seconds);
    several.memory_mib -= plan.step_mib * (1 - 1 / n);
  }
  several.training_seconds = steps * (step_seconds + several.waited_seconds) + evaluation;
  if (plan.ldm_seconds) {
    const double made = plan.ldm_times ? generation_seconds(plan.work, *plan.ldm_times) : 0;
    const double rest = *plan.ldm_seconds - made;
    several.ldm_seconds = made / n + (several.shares_batches ? rest / n : rest);
    several.gain = plan.seconds() / (several.training_seconds + *several.ldm_seconds);
  }
  return several;
}

nlohmann::json RankPlan::to_json() const {
  return {{"ranks", ranks},
          {"shares_batches", shares_batches},
          {"bytes_per_step", bytes_of_step},
          {"waited_seconds_per_step", waited_seconds},
          {"training_seconds", training_seconds},
          {"ldm_seconds", ldm_seconds ? nlohmann::json(*ldm_seconds) : nlohmann::json()},
          {"memory_mib", memory_mib}};
}

std::vector<std::vector<std::string>> rank_plan_cells(const RunPlan& one, const RankPlan& several) {
  const auto ldm = [](const std::optional<double>& seconds) {
    return seconds ? format_seconds(*seconds) : std::string("no --ldm given");
  };
  const auto all = [](double training, const std::optional<double>& seconds) {
    return seconds ? format_seconds(training + *seconds) : std::string("no --ldm given");
  };
  std::vector<std::vector<std::string>> cells{
      {one.algorithm, "1 process", fmt::format("{} ranks", several.ranks)},
      {"images of a step, each", fmt::format("{}", one.budget.images_per_step),
       fmt::format("{:.4g}", several.rows_of_step)},
      {"sent in a step, each", "-", megabytes(several.bytes_of_step)},
      {"waited for it in a step", "-", fmt::format("{:.1f} ms", 1e3 * several.waited_seconds)},
      {"time of the LDM", ldm(one.ldm_seconds), ldm(several.ldm_seconds)},
      {"time of the classifier", format_seconds(one.training_seconds), format_seconds(several.training_seconds)},
      {"time in all", all(one.training_seconds, one.ldm_seconds), all(several.training_seconds, several.ldm_seconds)},
      {"memory of each, MiB", fmt::format("{:.0f}", one.peak_memory_mib), fmt::format("{:.0f}", several.memory_mib)}};
  if (several.gain) cells.push_back({"times as fast", "1", fmt::format("{:.2f}", *several.gain)});
  return cells;
}

std::string describe_farm(const RunPlan& plan, double deadline_hours) {
  if (!plan.ldm_times || plan.work.generated_images == 0) return {};
  const double seconds = generation_seconds(plan.work, *plan.ldm_times);
  const auto images = static_cast<double>(plan.work.generated_images);
  return fmt::format("{}: {:.0f} images an hour by a worker like this process; {:.0f} {} {} in {:.4g} h",
                     plan.algorithm, images / seconds * 3600, std::ceil(seconds / (deadline_hours * 3600)),
                     seconds <= deadline_hours * 3600 ? "worker makes" : "workers make", plan.work.generated_images,
                     deadline_hours);
}

}  // namespace domainfusion
