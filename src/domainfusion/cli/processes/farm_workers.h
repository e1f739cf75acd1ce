#pragma once
// Processes of this program that share the work of one command.

#include <functional>
#include <string>
#include <vector>

#include "domainfusion/augmentation/candidates/candidate_farm.h"

namespace domainfusion {

// GPUs that this process may use, as CUDA numbers them.
std::vector<std::string> gpus_of_process();

// Words of the program's own command lines: the program, its share of the threads, then
// `arguments`.
std::vector<std::string> worker_command(std::int64_t workers, const std::vector<std::string>& arguments);

// Options of a command line that is started again elsewhere: those without a value are left out, and paths that are
// there become absolute.
class WorkerOptions {
 public:
  explicit WorkerOptions(std::vector<std::string> words) : words_(std::move(words)) {}
  void add(const std::string& name, const std::string& value);
  void add_path(const std::string& name, const std::string& path);
  void add_each(const std::string& name, const std::vector<std::string>& values);
  void add_word(const std::string& word) { words_.push_back(word); }
  const std::vector<std::string>& words() const { return words_; }

 private:
  std::vector<std::string> words_;
};

// Runs `workers` processes with these arguments until they have ended, shows the progress of `job` over all of them,
// and tries one again that died. Their output goes to <store>/logs. Error that names those that failed, Interrupted.
void run_workers(const std::filesystem::path& store, const std::vector<std::string>& arguments, std::int64_t workers,
                 const CandidateJob& job, const std::function<bool()>& stop_requested);

// The same for work that is finished when `is_finished` says so; output goes to `logs`.
void run_workers(const std::filesystem::path& logs, const std::vector<std::string>& arguments, std::int64_t workers,
                 const std::function<bool()>& is_finished, const std::function<bool()>& stop_requested);

// An array job of so many workers.
void write_slurm_workers(const std::filesystem::path& store, const std::vector<std::string>& arguments,
                         std::int64_t workers);

}  // namespace domainfusion
