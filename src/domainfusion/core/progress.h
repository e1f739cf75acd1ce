#pragma once
// Progress of long work: one moving bar on a terminal, a plain line now and then elsewhere.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace domainfusion {

// "1h02m", "3m20s", "4.1s"
std::string format_seconds(double seconds);

class Progress {
 public:
  // `total` steps of `unit_per_step` items (images a step, say) called `unit`; `done` steps are already behind us (a
  // resume).
  Progress(std::string title, std::int64_t total, std::string unit = "steps", double unit_per_step = 1,
           std::int64_t done = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Now at step `done`; `note` (loss, accuracy) stands at the end of the line. Prints at most ten times a second on a
  // terminal, every 20 s elsewhere. Shows items a second over the last stretch and the time left.
  void update(std::int64_t done, std::string_view note = {});
  // Ends the line; further updates print nothing.
  void finish(std::string_view note = {});

 private:
  using Clock = std::chrono::steady_clock;
  void print(std::string_view note, bool last);

  std::string title_, unit_;
  std::int64_t total_, done_, first_;
  double unit_per_step_;
  bool terminal_, finished_ = false;
  Clock::time_point start_, last_print_;
};

}  // namespace domainfusion
