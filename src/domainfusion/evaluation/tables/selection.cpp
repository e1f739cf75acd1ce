#include "domainfusion/evaluation/tables/selection.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "domainfusion/metrics/classification.h"

namespace domainfusion {
namespace {

using Records = std::vector<const ProtocolRecord*>;

void keep_better(std::optional<Choice>& best, const Choice& candidate) {
  if (std::isnan(candidate.val_acc) || std::isnan(candidate.test_acc)) return;
  if (!best || candidate.val_acc > best->val_acc) best = candidate;
}

double mean_of_others(std::vector<double> accuracy, std::size_t target) {
  accuracy.erase(accuracy.begin() + static_cast<std::ptrdiff_t>(target));
  return mean_of(accuracy);
}

// Of the domains that the run trained on: of others (single-source runs) it has neither figure.
double mean_of_sources(const ProtocolRecord& record, std::size_t target) {
  std::vector<double> accuracy;
  for (std::size_t env = 0; env < record.out_acc.size(); ++env) {
    const bool unknown = std::isnan(record.out_acc[env]) && std::isnan(record.in_acc[env]);
    if (env != target && !unknown) accuracy.push_back(record.out_acc[env]);
  }
  return accuracy.empty() ? std::nan("") : mean_of(accuracy);
}

std::optional<Choice> by_training_domains(const Records& records, std::size_t target) {
  std::optional<Choice> best;
  for (const ProtocolRecord* record : records) {
    if (!record->single_target()) continue;
    keep_better(best, {record->hparams_seed, record->step, mean_of_sources(*record, target), record->in_acc[target]});
  }
  return best;
}

std::optional<Choice> by_oracle(const Records& records, std::size_t target) {
  const ProtocolRecord* last = nullptr;
  for (const ProtocolRecord* record : records) {
    if (record->single_target() && (!last || record->step >= last->step)) last = record;
  }
  std::optional<Choice> choice;
  if (last) keep_better(choice, {last->hparams_seed, last->step, last->out_acc[target], last->in_acc[target]});
  return choice;
}

// NaN where the run of a pair is missing.
double cross_validation_accuracy(const Records& records, std::size_t environments, std::size_t target) {
  std::vector<double> accuracy(environments, std::nan(""));
  for (const ProtocolRecord* record : records) {
    if (record->test_envs.size() != 2) continue;
    const bool second = static_cast<std::size_t>(record->test_envs[0]) == target;
    const auto other = static_cast<std::size_t>(record->test_envs[second ? 1 : 0]);
    if (other < environments) accuracy[other] = record->in_acc[other];
  }
  return mean_of_others(std::move(accuracy), target);
}

std::optional<Choice> by_leave_one_out(const Records& records, std::size_t target) {
  std::map<std::int64_t, Records> by_step;
  for (const ProtocolRecord* record : records) by_step[record->step].push_back(record);
  std::optional<Choice> best;
  for (const auto& [step, together] : by_step) {
    const auto single = [](const ProtocolRecord* record) { return record->single_target(); };
    if (std::count_if(together.begin(), together.end(), single) != 1) continue;
    const ProtocolRecord& run = **std::find_if(together.begin(), together.end(), single);
    keep_better(best, {run.hparams_seed, step, cross_validation_accuracy(together, run.in_acc.size(), target),
                       run.in_acc[target]});
  }
  return best;
}

std::optional<Choice> choose(SelectionRule rule, const Records& records, std::int64_t test_env) {
  const auto target = static_cast<std::size_t>(test_env);
  if (rule == SelectionRule::kOracle) return by_oracle(records, target);
  return rule == SelectionRule::kLeaveOneOut ? by_leave_one_out(records, target) : by_training_domains(records, target);
}

}  // namespace

std::vector<SelectedTrial> select_models(SelectionRule rule, std::span<const ProtocolRecord> records) {
  std::map<std::tuple<std::int64_t, std::string, std::string, std::int64_t>, std::map<std::int64_t, Records>> groups;
  for (const ProtocolRecord& record : records) {
    for (const std::int64_t env : record.test_envs) {
      groups[{record.trial_seed, record.dataset, record.algorithm, env}][record.hparams_seed].push_back(&record);
    }
  }
  std::vector<SelectedTrial> trials;
  for (const auto& [key, by_hparams] : groups) {
    const auto& [trial_seed, dataset, algorithm, test_env] = key;
    SelectedTrial trial{trial_seed, dataset, algorithm, test_env, {}};
    for (const auto& [hparams_seed, runs] : by_hparams) {
      if (const auto choice = choose(rule, runs, test_env)) trial.ranked.push_back(*choice);
    }
    std::stable_sort(trial.ranked.begin(), trial.ranked.end(),
                     [](const Choice& a, const Choice& b) { return a.val_acc < b.val_acc; });
    std::reverse(trial.ranked.begin(), trial.ranked.end());
    if (!trial.ranked.empty()) trials.push_back(std::move(trial));
  }
  return trials;
}

std::string name_of(SelectionRule rule) {
  if (rule == SelectionRule::kOracle) return "test-domain validation (ORACLE)";
  return rule == SelectionRule::kLeaveOneOut ? "leave-one-domain-out cross-validation" : "training-domain validation";
}

}  // namespace domainfusion
