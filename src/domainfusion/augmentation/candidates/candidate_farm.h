#pragma once
// Candidates that any number of processes, on any machines that see one store, make together.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/augmentation/candidates/candidate_store.h"
#include "domainfusion/io/folders/leases.h"

namespace domainfusion {

struct FarmHooks {
  // Asked before each batch and while others are waited for: true ends the work. May be empty.
  std::function<bool()> should_stop;
  // How many of the candidates are there. May be empty.
  std::function<void(std::int64_t done)> progress;
};

class CandidateFarm {
 public:
  // Shares the candidates of a store.
  explicit CandidateFarm(const CandidateStore& store, LeaseTimes times = {});
  // Shares pieces of any kind: `is_missing` of a name says whether that piece is still to be made.
  CandidateFarm(std::filesystem::path folder, std::function<bool(const std::string& name)> is_missing,
                LeaseTimes times = {});

  // Returns once none of `names` (none twice) is missing: `make` is called with the places in `names` of those that are
  // this process's to make, at most `batch` at a time; what others have claimed is waited for, and taken over where
  // they are gone. False: stopped; what is finished is kept. Each process begins at a place of its own.
  bool complete(const std::vector<std::string>& names, std::int64_t batch,
                const std::function<void(const std::vector<std::size_t>& places)>& make, const FarmHooks& hooks = {});

 private:
  void tell(Leases& leases) const;

  std::filesystem::path folder_;
  std::function<bool(const std::string&)> is_missing_;
  LeaseTimes times_;
  bool counts_ = false;
  std::int64_t made_ = 0;
  std::chrono::steady_clock::time_point start_;
};

// All candidates that one command wants, in the store that it wants them in: <store>/jobs/<id>.json. Where keys are
// known only once their images are begun, as in rounds, each unit of work leaves its own:
// <store>/jobs/<id>/<unit>.json. Jobs tell how much is missing; what an image is they do not say.
struct CandidateJob {
  std::string what;               // to people: "cdga without sketch"
  nlohmann::json options;         // what else tells it from others
  std::int64_t candidates = 0;    // in all
  std::vector<std::string> keys;  // those that are known yet

  std::string id() const;  // of all but keys that units brought
};
// IoError.
void write_job(const std::filesystem::path& store, const CandidateJob& job);
void write_unit_of_job(const std::filesystem::path& store, const CandidateJob& job, const std::string& unit,
                       const std::vector<std::string>& keys);
// Nothing: the unit is not done yet, or cannot be read.
std::optional<std::vector<std::string>> unit_of_job(const std::filesystem::path& store, const CandidateJob& job,
                                                    const std::string& unit);
// In the order of file names, with the keys of all units; what is no job is passed over.
std::vector<CandidateJob> jobs_of_store(const std::filesystem::path& store);
// How many of a job's candidates, those of its units too, are not in the store, by the names of files alone.
std::int64_t missing_of_job(const CandidateStore& store, const CandidateJob& job);

// What the workers of a store are doing now.
struct FarmPace {
  std::vector<LeaseWorker> workers;
  double images_per_second = 0;  // of all of them together
};
// Waits for heartbeats of other machines' workers, where there are such.
FarmPace pace_of_store(const std::filesystem::path& store, LeaseTimes times = {});

}  // namespace domainfusion
