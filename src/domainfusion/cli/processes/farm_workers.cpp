#include "domainfusion/cli/processes/farm_workers.h"

#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>

#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/evaluation/sweeps/job_queue.h"
#include "domainfusion/evaluation/sweeps/slurm_script.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

fs::path made_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  check<IoError>(!error, "the folder '{}' cannot be made: {}", folder.string(), error.message());
  return folder;
}

}  // namespace

std::vector<std::string> gpus_of_process() {
  const auto count = torch::cuda::is_available() ? static_cast<std::int64_t>(torch::cuda::device_count()) : 0;
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  std::istringstream named(visible == nullptr ? "" : visible);
  std::vector<std::string> gpus;
  for (std::int64_t i = 0; i < count; ++i) {
    std::string name;
    if (!std::getline(named, name, ',')) name = std::to_string(i);
    gpus.push_back(name);
  }
  return gpus;
}

std::vector<std::string> worker_command(std::int64_t workers, const std::vector<std::string>& arguments) {
  const std::int64_t threads = std::max<std::int64_t>(1, numeric_threads() / workers);
  std::vector<std::string> command{fs::read_symlink("/proc/self/exe").string(), "--threads", std::to_string(threads)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

void WorkerOptions::add(const std::string& name, const std::string& value) {
  if (!value.empty()) words_.insert(words_.end(), {name, value});
}

void WorkerOptions::add_path(const std::string& name, const std::string& path) {
  add(name, fs::exists(path) ? fs::absolute(path).string() : path);
}

void WorkerOptions::add_each(const std::string& name, const std::vector<std::string>& values) {
  for (const std::string& value : values) add(name, value);
}

void run_workers(const fs::path& logs, const std::vector<std::string>& arguments, std::int64_t workers,
                 const std::function<bool()>& is_finished, const std::function<bool()>& stop_requested) {
  std::vector<Job> jobs;
  for (std::int64_t i = 0; i < workers; ++i) {
    jobs.push_back({fmt::format("worker {}", i), worker_command(workers, arguments),
                    made_folder(logs) / fmt::format("worker-{}.log", i), is_finished});
  }
  const JobReport report = run_jobs(jobs, {workers, 1, stop_requested, nullptr, gpus_of_process()});
  if (report.stopped) {
    log_info("stopped; the same command continues");
    throw Interrupted();
  }
  check(report.failed.empty() || is_finished(), "{} of {} workers failed:\n  {}\nthe same command goes on",
        report.failed.size(), workers, fmt::join(report.failed, "\n  "));
}

void run_workers(const fs::path& store, const std::vector<std::string>& arguments, std::int64_t workers,
                 const CandidateJob& job, const std::function<bool()>& stop_requested) {
  const CandidateStore candidates(store);
  Progress progress(job.what, job.candidates, "images", 1, job.candidates - missing_of_job(candidates, job));
  auto last_look = std::chrono::steady_clock::now();
  const auto look = [&] {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_look > std::chrono::seconds(2)) {
      last_look = now;
      progress.update(job.candidates - missing_of_job(candidates, job));
    }
    return stop_requested();
  };
  run_workers(
      store / "logs", arguments, workers, [&] { return missing_of_job(candidates, job) == 0; }, look);
  progress.finish();
}

void write_slurm_workers(const fs::path& store, const std::vector<std::string>& arguments, std::int64_t workers) {
  made_folder(store / "logs");
  std::vector<std::string> command{fs::read_symlink("/proc/self/exe").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const fs::path script = write_slurm_script(
      fs::absolute(store), std::vector<std::vector<std::string>>(static_cast<std::size_t>(workers), command), workers);
  log_info("{} workers in {}; started with: sbatch {}", workers, script.string(), shell_quoted(script.string()));
}

}  // namespace domainfusion
