#include "domainfusion/evaluation/tables/protocol_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace domainfusion {
namespace {

using Envs = std::vector<std::int64_t>;

// All runs of one algorithm on one set.
struct System {
  std::string dataset, algorithm;
  std::set<std::int64_t> trials, hparams;
  std::map<std::tuple<Envs, std::int64_t, std::int64_t>, const ProtocolRun*>
      runs;  // by held-out domains, trial, hparams seed
  std::string group;
  std::int64_t place = 0;
};

// Of one set.
struct DatasetRuns {
  std::vector<std::string> environments;
  std::set<std::int64_t> targets;
  std::vector<System> systems;  // as they first came
};

Envs sorted(Envs envs) {
  std::sort(envs.begin(), envs.end());
  return envs;
}

void add_to_system(const ProtocolRun& run, DatasetRuns& set) {
  auto system = std::find_if(set.systems.begin(), set.systems.end(),
                             [&](const System& known) { return known.algorithm == run.algorithm; });
  if (system == set.systems.end())
    system = set.systems.insert(system, {run.dataset, run.algorithm, {}, {}, {}, run.group, run.place});
  system->trials.insert(run.trial_seed);
  system->hparams.insert(run.hparams_seed);
  const ProtocolRun*& place = system->runs[{sorted(run.test_envs), run.trial_seed, run.hparams_seed}];
  if (!place || run.finished) place = &run;
}

std::map<std::string, DatasetRuns> by_dataset(const std::vector<ProtocolRun>& runs) {
  std::map<std::string, DatasetRuns> sets;
  for (const ProtocolRun& run : runs) {
    DatasetRuns& set = sets[run.dataset];
    if (run.environments.size() > set.environments.size()) set.environments = run.environments;
    if (run.test_envs.size() == 1) set.targets.insert(run.test_envs.front());
    add_to_system(run, set);
  }
  for (auto& [dataset, set] : sets) {
    std::stable_sort(set.systems.begin(), set.systems.end(),
                     [](const System& a, const System& b) { return a.place < b.place; });
  }
  return sets;
}

std::string environment_name(std::int64_t env, const std::vector<std::string>& environments) {
  const auto place = static_cast<std::size_t>(env);
  return place < environments.size() ? environments[place] : fmt::format("env{}", env);
}

std::string state_of(const ProtocolRun* run) {
  if (!run || run->last_step < 0) return "not started";
  return fmt::format("stopped after {} steps", run->last_step + 1);
}

// "hparams 0 stopped after 300 steps; hparams 1, 3 not started"; empty if all are finished.
std::string unfinished_hparams(const System& system, const Envs& held_out, std::int64_t trial) {
  std::map<std::string, std::vector<std::int64_t>> by_state;
  for (const std::int64_t hparams : system.hparams) {
    const auto found = system.runs.find({held_out, trial, hparams});
    const ProtocolRun* run = found == system.runs.end() ? nullptr : found->second;
    if (!run || !run->finished) by_state[state_of(run)].push_back(hparams);
  }
  std::string text;
  for (const auto& [state, hparams] : by_state) {
    text += fmt::format("{}hparams {} {}", text.empty() ? "" : "; ", fmt::join(hparams, ", "), state);
  }
  return text;
}

// The sets of held-out domains whose runs `rule` looks at for one target.
std::vector<Envs> needed_runs(std::int64_t target, std::size_t environments, SelectionRule rule) {
  std::vector<Envs> needed{{target}};
  if (rule != SelectionRule::kLeaveOneOut) return needed;
  for (std::int64_t env = 0; env < static_cast<std::int64_t>(environments); ++env) {
    if (env != target) needed.push_back(sorted({target, env}));
  }
  return needed;
}

void list_missing(const System& system, const DatasetRuns& set, SelectionRule rule, std::vector<std::string>& lines) {
  std::set<std::pair<Envs, std::int64_t>> listed;
  for (const std::int64_t target : set.targets) {
    for (const Envs& held_out : needed_runs(target, set.environments.size(), rule)) {
      for (const std::int64_t trial : system.trials) {
        const std::string missing = unfinished_hparams(system, held_out, trial);
        if (missing.empty() || !listed.insert({held_out, trial}).second) continue;
        std::vector<std::string> names;
        for (const std::int64_t env : held_out) names.push_back(environment_name(env, set.environments));
        lines.push_back(fmt::format("{}, {}, {}, trial {}: {}", system.dataset, system.algorithm,
                                    fmt::join(names, " and "), trial, missing));
      }
    }
  }
}

}  // namespace

std::map<std::string, ResultTable> protocol_tables(const std::vector<ProtocolRun>& runs, SelectionRule rule) {
  std::map<std::string, ResultTable> tables;
  const auto sets = by_dataset(runs);
  for (const auto& [dataset, set] : sets) {
    for (const System& system : set.systems) {
      if (!system.group.empty()) tables[dataset].group(system.algorithm, system.group);
      for (const std::int64_t target : set.targets) {
        tables[dataset].expect(system.algorithm, environment_name(target, set.environments), system.trials.size());
      }
    }
  }
  for (const SelectedTrial& trial : select_models(rule, records_of(runs))) {
    const DatasetRuns& set = sets.at(trial.dataset);
    if (!set.targets.count(trial.test_env)) continue;
    tables[trial.dataset].add(trial.algorithm, environment_name(trial.test_env, set.environments),
                              trial.ranked.front().test_acc);
  }
  return tables;
}

std::vector<std::string> missing_runs(const std::vector<ProtocolRun>& runs, SelectionRule rule) {
  std::vector<std::string> lines;
  const auto sets = by_dataset(runs);
  for (const auto& [dataset, set] : sets) {
    for (const System& system : set.systems) list_missing(system, set, rule, lines);
  }
  return lines;
}

}  // namespace domainfusion
