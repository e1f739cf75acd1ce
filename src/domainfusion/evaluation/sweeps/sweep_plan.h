#pragma once
// Which runs a sweep consists of: targets x trials x hyper-parameter seeds.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace domainfusion {

struct SweepRequest {
  std::string dataset;                    // DomainBed's name where there is one
  std::string algorithm;                  // likewise
  std::string averaging = "none";         // averaging.method: each run yields the averaged model too
  std::vector<std::string> environments;  // all domains of the set, sorted
  std::vector<std::string> targets;       // some of them
  std::int64_t trials = 3;
  std::int64_t hparams = 1;
  bool cross_validation = false;     // with the runs that leave-one-domain-out selection needs
  nlohmann::json options = nullptr;  // those of all runs (a run's configuration); null in sweeps of older versions
  // In a table of several sweeps: what its rows stand under, and how many systems stand before it.
  std::string group = {};
  std::int64_t place = 0;
};

struct PlannedRun {
  std::string name;  // of its folder; says what the run is: "sketch-trial0-hparams00", "photo+sketch-trial0-hparams00"
  std::string test_domain, cross_validation_domain;
  std::vector<std::int64_t> test_envs;
  std::int64_t trial_seed = 0, hparams_seed = 0;
  std::int64_t seed = 0;  // DomainBed's: seed_hash(dataset, algorithm, test_envs, hparams_seed, trial_seed)

  // The options of a run (key, value) that make it this one.
  std::vector<std::pair<std::string, nlohmann::json>> options() const;
};

// Trial by trial, within it by hyper-parameter seed, then by target, so that a sweep cut short has whole trials. A pair
// of held-out domains is one run, whichever of them is the target; so is a target that is named twice. ConfigError for
// a target that is no domain of the set, and for domains whose runs would share a folder.
std::vector<PlannedRun> plan_sweep(const SweepRequest& request);

// What was asked for in the folder of a sweep before and is asked for now, together: targets and the larger numbers of
// trials and hyper-parameter seeds. ConfigError if the sweep there is another one: of another set, algorithm or
// options.
SweepRequest joined_request(const std::filesystem::path& folder, const SweepRequest& request);

// sweep.json in the folder of a sweep: the joined request, so that tables know what to expect. Errors as there.
void write_sweep_request(const std::filesystem::path& folder, const SweepRequest& request);
// IoError, FormatError naming the file.
SweepRequest read_sweep_request(const std::filesystem::path& folder);

}  // namespace domainfusion
