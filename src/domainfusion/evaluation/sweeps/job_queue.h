#pragma once
// Runs programs, some at a time, until all have done their work.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "domainfusion/io/folders/leases.h"

namespace domainfusion {

struct Job {
  std::string name;
  std::vector<std::string> command;
  std::filesystem::path log;  // output of every try, appended
  // Whether its work is done; a program that ends well without that counts as failed. An Error says that it cannot be
  // told: the job has failed.
  std::function<bool()> finished;
};

struct JobQueueOptions {
  std::int64_t at_once = 1;
  std::int64_t retries = 1;  // further tries of a job that failed; not after exit code 2, a wrong command
  std::function<bool()> stop_requested;
  // Shares the jobs with other processes that have the same, under their names: each is done once, what another one has
  // is waited for, and taken over where that one is gone. nullptr: all are this process's.
  Leases* leases = nullptr;
  std::vector<std::string> gpus = {};  // as CUDA numbers them: a job sees one, of which as few others as can be have
};

struct JobReport {
  std::int64_t finished = 0;  // among them `skipped`, which were finished before
  std::int64_t skipped = 0;
  std::vector<std::string> failed;  // "NAME: exit code 1 (see LOG): last line"
  bool stopped = false;             // by request: running programs got SIGTERM and were waited for
};

// Starts jobs in order. Says what happens in log lines. A failed job does not stop the others.
JobReport run_jobs(const std::vector<Job>& jobs, const JobQueueOptions& options);

}  // namespace domainfusion
