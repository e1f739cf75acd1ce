#include "domainfusion/evaluation/sweeps/sweep_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/nearest_name.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/evaluation/sweeps/config_differences.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Envs = std::vector<std::int64_t>;

std::int64_t env_of(const std::string& domain, const SweepRequest& request) {
  const auto place = std::find(request.environments.begin(), request.environments.end(), domain);
  check<ConfigError>(place != request.environments.end(), "unknown target '{}'{}; the set has: {}", domain,
                     did_you_mean(domain, request.environments), fmt::join(request.environments, ", "));
  return place - request.environments.begin();
}

// The held-out domains of each run of one trial and hyper-parameter seed.
std::vector<Envs> held_out_sets(const SweepRequest& request) {
  std::vector<Envs> sets;
  for (const std::string& target : request.targets) {
    const Envs held_out{env_of(target, request)};
    if (std::find(sets.begin(), sets.end(), held_out) == sets.end()) sets.push_back(held_out);
  }
  if (!request.cross_validation) return sets;
  std::set<Envs> pairs;
  for (const std::string& target : request.targets) {
    const std::int64_t env = env_of(target, request);
    for (std::int64_t other = 0; other < std::ssize(request.environments); ++other) {
      if (other != env) pairs.insert({std::min(env, other), std::max(env, other)});
    }
  }
  sets.insert(sets.end(), pairs.begin(), pairs.end());
  return sets;
}

std::string folder_name(const std::string& domains, const PlannedRun& run) {
  std::string name = fmt::format("{}-trial{}-hparams{:02}", domains, run.trial_seed, run.hparams_seed);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '/'; }, '_');
  return name;
}

PlannedRun planned(const SweepRequest& request, const Envs& held_out, std::int64_t trial, std::int64_t hparams) {
  PlannedRun run;
  run.test_envs = held_out;
  run.test_domain = request.environments[static_cast<std::size_t>(held_out[0])];
  if (held_out.size() > 1) run.cross_validation_domain = request.environments[static_cast<std::size_t>(held_out[1])];
  run.trial_seed = trial;
  run.hparams_seed = hparams;
  const json arguments = json::array({request.dataset, request.algorithm, held_out, hparams, trial});
  run.seed = seed_hash(arguments);
  const bool pair = !run.cross_validation_domain.empty();
  run.name = folder_name(pair ? run.test_domain + "+" + run.cross_validation_domain : run.test_domain, run);
  return run;
}

// Blanks become '_', and pairs are joined by '+': names of domains can be that unfortunate.
void check_folders(const std::vector<PlannedRun>& runs) {
  std::map<std::string, const PlannedRun*> by_name;
  const auto held_out = [](const PlannedRun& run) {
    return run.cross_validation_domain.empty() ? run.test_domain
                                               : run.test_domain + "', '" + run.cross_validation_domain;
  };
  for (const PlannedRun& run : runs) {
    const auto [place, first] = by_name.emplace(run.name, &run);
    check<ConfigError>(first, "runs of '{}' and of '{}' would share the folder '{}': rename a domain",
                       held_out(*place->second), held_out(run), run.name);
  }
}

}  // namespace

std::vector<std::pair<std::string, json>> PlannedRun::options() const {
  std::vector<std::pair<std::string, json>> options{
      {"test_domain", test_domain}, {"trial_seed", trial_seed}, {"hparams_seed", hparams_seed}, {"seed", seed}};
  if (!cross_validation_domain.empty()) options.emplace_back("cross_validation_domain", cross_validation_domain);
  return options;
}

std::vector<PlannedRun> plan_sweep(const SweepRequest& request) {
  std::vector<PlannedRun> runs;
  const std::vector<Envs> sets = held_out_sets(request);
  for (std::int64_t trial = 0; trial < request.trials; ++trial) {
    for (std::int64_t hparams = 0; hparams < request.hparams; ++hparams) {
      for (const Envs& held_out : sets) runs.push_back(planned(request, held_out, trial, hparams));
    }
  }
  check_folders(runs);
  return runs;
}

SweepRequest joined_request(const fs::path& folder, const SweepRequest& request) {
  if (!fs::exists(folder / "sweep.json")) return request;
  const SweepRequest old = read_sweep_request(folder);
  check<ConfigError>(old.dataset == request.dataset && old.algorithm == request.algorithm &&
                         old.averaging == request.averaging && old.environments == request.environments,
                     "'{}' holds a sweep of {} on {} ({}), this one is of {} on {} ({}): choose another --out",
                     folder.string(), old.algorithm, old.dataset, fmt::join(old.environments, ", "), request.algorithm,
                     request.dataset, fmt::join(request.environments, ", "));
  if (old.options.is_object() && request.options.is_object()) {
    const std::string other = other_options(old.options, request.options);
    check<ConfigError>(other.empty(), "'{}' holds a sweep with other options: {}; choose another --out",
                       folder.string(), other);
  }
  SweepRequest joined = request;
  joined.targets = old.targets;
  for (const std::string& target : request.targets) {
    if (std::find(old.targets.begin(), old.targets.end(), target) == old.targets.end())
      joined.targets.push_back(target);
  }
  joined.trials = std::max(old.trials, request.trials);
  joined.hparams = std::max(old.hparams, request.hparams);
  joined.cross_validation = old.cross_validation || request.cross_validation;
  return joined;
}

void write_sweep_request(const fs::path& folder, const SweepRequest& request) {
  const SweepRequest joined = joined_request(folder, request);
  fs::create_directories(folder);
  const json description{{"dataset", joined.dataset},     {"algorithm", joined.algorithm},
                         {"averaging", joined.averaging}, {"environments", joined.environments},
                         {"targets", joined.targets},     {"trials", joined.trials},
                         {"hparams", joined.hparams},     {"cross_validation", joined.cross_validation},
                         {"options", joined.options},     {"group", joined.group},
                         {"place", joined.place}};
  write_file_atomically(folder / "sweep.json", json_text(description, 2) + "\n");
}

SweepRequest read_sweep_request(const fs::path& folder) {
  const fs::path file = folder / "sweep.json";
  const json description = read_json(file);
  return with_json_context(fmt::format("'{}'", file.string()), [&] {
    return SweepRequest{description.at("dataset"),
                        description.at("algorithm"),
                        description.at("averaging"),
                        description.at("environments"),
                        description.at("targets"),
                        description.at("trials"),
                        description.at("hparams"),
                        description.at("cross_validation"),
                        description.value("options", json()),
                        description.value("group", ""),
                        description.value("place", std::int64_t{0})};
  });
}

}  // namespace domainfusion
