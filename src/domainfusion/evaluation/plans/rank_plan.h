#pragma once
// What a run will cost on several ranks, and what the images to generate will take a farm.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/distributed/ranks.h"
#include "domainfusion/evaluation/plans/run_plan.h"

namespace domainfusion {

// Bytes a second that each of these ranks sends while all of them sum what a bucket of gradients holds; the fastest of
// a few. All ranks call it.
double measure_rate_of_sums(Ranks& ranks);

// Bytes that a rank sends for a sum over `ranks` of them, by a ring: 2 (N - 1) / N of the values.
double bytes_of_sum(double bytes, std::int64_t ranks);
// Seconds of a step that a rank only waits for sums. Backward, two thirds of `step_seconds`, hides all of them but the
// last bucket's.
double waited_for_sums(double bytes, std::int64_t ranks, double bytes_per_second, double step_seconds);

struct RankPlan {
  std::int64_t ranks = 1;
  bool shares_batches = false;  // else every rank computes the whole batch
  double rows_of_step = 0;      // of a rank
  double bytes_of_step = 0;     // that a rank sends
  double waited_seconds = 0;    // a step
  double training_seconds = 0;
  std::optional<double> ldm_seconds{};  // absent as in RunPlan
  double memory_mib = 0;                // of a rank

  // Seconds of one process over those of the ranks.
  std::optional<double> gain{};
  nlohmann::json to_json() const;
};

// Each rank has what this process has: a GPU, or so many threads. Times a training step at a rank's rows.
// ConfigError: more ranks than rows.
RankPlan plan_ranks(const RunSetup& setup, const SetSizes& sizes, const RunPlan& plan, std::int64_t ranks,
                    double bytes_per_second);

// Rows of text_table(): one process, and the ranks.
std::vector<std::vector<std::string>> rank_plan_cells(const RunPlan& one, const RankPlan& several);

// "1,200 images an hour by a worker like this process; 3 workers make 28,000 in 8 h"; empty where there is nothing to
// make or no LDM was measured. deadline_hours: of all of them.
std::string describe_farm(const RunPlan& plan, double deadline_hours);

}  // namespace domainfusion
