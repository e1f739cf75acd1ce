#include "domainfusion/evaluation/sweeps/job_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <list>
#include <memory>
#include <thread>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/distributed/rank_environment.h"
#include "domainfusion/evaluation/sweeps/child_process.h"

namespace domainfusion {
namespace {

std::string last_line(const std::filesystem::path& log) {
  std::ifstream file(log);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

class JobQueue {
 public:
  JobQueue(const std::vector<Job>& jobs, const JobQueueOptions& options) : options_(options), jobs_(jobs.size()) {
    for (const Job& job : jobs) waiting_.push_back({&job, 0});
  }

  JobReport run() {
    while (!waiting_.empty() || !running_.empty() || !elsewhere_.empty()) {
      look_elsewhere();
      if (options_.stop_requested()) return stop();
      while (!waiting_.empty() && std::ssize(running_) < options_.at_once) start_next();
      collect();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return report_;
  }

 private:
  struct Try {
    const Job* job;
    std::int64_t tries;
  };
  struct Running {
    Try work;
    std::int64_t slot;  // the lowest that was free
    std::unique_ptr<ChildProcess> process;
  };

  void start_next() {
    const Try work = waiting_.front();
    waiting_.pop_front();
    guarded(*work.job, [&] {
      // Whoever had it may just have finished it: so its state is asked for once it is claimed.
      const bool mine = options_.leases == nullptr || options_.leases->claim(work.job->name);
      if (work.job->finished()) {
        ++report_.finished;
        ++report_.skipped;
        return give_back(*work.job);
      }
      if (!mine) return elsewhere_.push_back(work);
      const std::int64_t slot = free_slot();
      if (!options_.gpus.empty()) {
        const auto gpu = static_cast<std::size_t>(slot) % options_.gpus.size();
        ::setenv("CUDA_VISIBLE_DEVICES", options_.gpus[gpu].c_str(), 1);
      }
      running_.push_back({work, slot, std::make_unique<ChildProcess>(work.job->command, work.job->log)});
      log_info("{}: started{}", work.job->name, work.tries ? fmt::format(", try {}", work.tries + 1) : "");
    });
  }

  void give_back(const Job& job) {
    if (options_.leases != nullptr) options_.leases->release(job.name);
  }

  std::int64_t free_slot() const {
    std::int64_t slot = 0;
    const auto is_taken = [&](const Running& run) { return run.slot == slot; };
    while (std::any_of(running_.begin(), running_.end(), is_taken)) ++slot;
    return slot;
  }

  // Once a second, what other processes had is tried again.
  void look_elsewhere() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_look_ < std::chrono::seconds(1)) return;
    last_look_ = now;
    waiting_.insert(waiting_.end(), elsewhere_.begin(), elsewhere_.end());
    elsewhere_.clear();
  }

  // What goes wrong with one job is its own failure.
  template <class Action>
  void guarded(const Job& job, Action action) {
    try {
      action();
    } catch (const Error& error) {
      give_back(job);
      fail(fmt::format("{}: {}", job.name, error.what()));
    }
  }

  void fail(const std::string& what) {
    log_warning("{}", what);
    report_.failed.push_back(what);
  }

  void collect() {
    for (auto run = running_.begin(); run != running_.end();) {
      const auto code = run->process->exit_code();
      if (code) guarded(*run->work.job, [&] { judge(run->work, *code); });
      run = code ? running_.erase(run) : std::next(run);
    }
  }

  void judge(Try work, int code) {
    if (code == 0 && work.job->finished()) {
      give_back(*work.job);
      ++report_.finished;
      log_info("{}: finished ({} of {})", work.job->name, report_.finished, jobs_);
      return;
    }
    const std::string what = fmt::format("{}: exit code {} (see {}): {}", work.job->name, code, work.job->log.string(),
                                         last_line(work.job->log));
    const bool again = work.tries < options_.retries && code != static_cast<int>(ExitCode::kConfig);
    if (!again) {
      give_back(*work.job);
      return fail(what);
    }
    log_warning("{}; it is tried again", what);
    waiting_.push_back({work.job, work.tries + 1});
  }

  JobReport stop() {
    log_info("stopping: {} running programs write their checkpoints", running_.size());
    for (Running& run : running_) run.process->terminate();
    for (Running& run : running_) {
      run.process->wait();
      guarded(*run.work.job, [&] { report_.finished += run.work.job->finished(); });
      give_back(*run.work.job);
    }
    report_.stopped = true;
    return report_;
  }

  const JobQueueOptions& options_;
  std::size_t jobs_;
  std::deque<Try> waiting_, elsewhere_;
  std::chrono::steady_clock::time_point last_look_ = std::chrono::steady_clock::now();
  std::list<Running> running_;
  JobReport report_;
};

}  // namespace

JobReport run_jobs(const std::vector<Job>& jobs, const JobQueueOptions& options) {
  be_alone();  // whoever started this process as one of many meant the queue
  return JobQueue(jobs, options).run();
}

}  // namespace domainfusion
