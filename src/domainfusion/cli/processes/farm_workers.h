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

// Runs `workers` processes with these arguments until they have ended, shows the progress of `job` over all of them,
// and tries one again that died. Their output goes to <store>/logs. Error that names those that failed, Interrupted.
void run_workers(const std::filesystem::path& store, const std::vector<std::string>& arguments, std::int64_t workers,
                 const CandidateJob& job, const std::function<bool()>& stop_requested);

// An array job of so many workers.
void write_slurm_workers(const std::filesystem::path& store, const std::vector<std::string>& arguments,
                         std::int64_t workers);

}  // namespace domainfusion
