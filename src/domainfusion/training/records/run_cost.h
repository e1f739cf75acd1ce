#pragma once
// What a run has really cost so far, kept in RUN/cost.json over kills and resumes.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace domainfusion {

// How things stood at a checkpoint.
struct RunCostPoint {
  std::int64_t steps = 0;  // done
  double seconds = 0;      // since the run's start
  double memory_mib = 0;   // resident
};

struct RunCost {
  double seconds = 0;                  // of all processes that worked on the run, up to their last checkpoint or end
  double peak_memory_mib = 0;          // resident, the largest of them
  std::int64_t steps = 0;              // done by then
  std::vector<RunCostPoint> course{};  // by steps; empty in older runs
};

// Zeros where the run has no such file (older runs). FormatError.
RunCost read_run_cost(const std::filesystem::path& run);

// Counts from its construction on, on top of what earlier processes have left in the folder.
class RunCostMeter {
 public:
  explicit RunCostMeter(std::filesystem::path run);
  // IoError.
  void save(std::int64_t steps_done);

 private:
  std::filesystem::path run_;
  RunCost before_;
  std::vector<RunCostPoint> course_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace domainfusion
