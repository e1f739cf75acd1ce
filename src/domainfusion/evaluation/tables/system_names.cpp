#include "domainfusion/evaluation/tables/system_names.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;
using Group = std::vector<ProtocolRun*>;
using RunKey = std::tuple<std::string, std::string, std::vector<std::int64_t>, std::int64_t, std::int64_t>;

RunKey key_of(const ProtocolRun& run) {
  return {run.dataset, run.algorithm, run.test_envs, run.trial_seed, run.hparams_seed};
}

const std::set<std::string> kOfOneRun = {
    "/seed", "/trial_seed", "/hparams_seed", "/test_domain", "/cross_validation_domain", "/device"};
const std::set<std::string> kDrawn = {"/optimizer/lr", "/optimizer/weight_decay", "/loader/batch_size",
                                      "/loader/augment", "/classifier/dropout"};

bool tells_systems_apart(const std::string& key, const json& value, const json& config) {
  if (kOfOneRun.count(key) || !changes_results("/config" + key)) return false;
  if (config.value("hparams", "none") == "domainbed" && kDrawn.count(key)) return false;
  return !value.is_string() || value.get<std::string>().find('/') == std::string::npos;  // paths differ from run to run
}

// Options of all runs that have not the same value in all of them.
std::set<std::string> differing_options(const Group& group) {
  std::map<std::string, std::set<std::string>> values;
  std::map<std::string, std::size_t> counts;
  for (const ProtocolRun* run : group) {
    const json flat = run->config.flatten();
    for (const auto& [key, value] : flat.items()) {
      if (!tells_systems_apart(key, value, run->config)) continue;
      values[key].insert(json_text(value));
      ++counts[key];
    }
  }
  std::set<std::string> differing;
  for (const auto& [key, found] : values) {
    if (found.size() > 1 && counts[key] == group.size()) differing.insert(key);
  }
  return differing;
}

std::string described(const ProtocolRun& run, const std::set<std::string>& options) {
  std::vector<std::string> parts;
  for (const std::string& key : options) {
    const json& value = run.config.at(json::json_pointer(key));
    std::string name = key.substr(1);
    for (char& c : name) c = c == '/' ? '.' : c;
    parts.push_back(fmt::format("{}={}", name, value.is_string() ? value.get<std::string>() : json_text(value)));
  }
  return fmt::format("{} ({})", run.algorithm, fmt::join(parts, ", "));
}

void name_by_options(std::vector<ProtocolRun>& runs) {
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (ProtocolRun& run : runs) {
    if (run.config.is_object()) groups[{run.dataset, run.algorithm}].push_back(&run);
  }
  for (const auto& [key, group] : groups) {
    const auto options = differing_options(group);
    if (options.empty()) continue;
    for (ProtocolRun* run : group) rename_algorithm(*run, described(*run, options));
  }
}

bool has_collision(const Group& group) {
  std::set<RunKey> keys;
  for (const ProtocolRun* run : group) {
    if (!keys.insert(key_of(*run)).second) return true;
  }
  return false;
}

// Trials numbered by (trial seed, training seed), if that makes them different.
void number_trials(const Group& group) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> places;
  for (const ProtocolRun* run : group) places[{run->trial_seed, run->seed}] = 0;
  std::int64_t place = 0;
  for (auto& [seeds, trial] : places) trial = place++;
  for (ProtocolRun* run : group) renumber_trial(*run, places[{run->trial_seed, run->seed}]);
}

void name_by_folder(const Group& group) {
  std::set<std::string> names;
  for (const ProtocolRun* run : group) names.insert(run->path.filename().string());
  const bool own = names.size() == group.size();
  for (ProtocolRun* run : group) {
    const auto folder = own ? run->path : run->path.parent_path();
    rename_algorithm(*run, fmt::format("{} ({})", run->algorithm, folder.filename().string()));
  }
}

}  // namespace

void tell_systems_apart(std::vector<ProtocolRun>& runs) {
  name_by_options(runs);
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (ProtocolRun& run : runs) groups[{run.dataset, run.algorithm}].push_back(&run);
  for (const auto& [key, group] : groups) {
    if (!has_collision(group)) continue;
    std::set<std::tuple<RunKey, std::int64_t>> with_seed;
    for (const ProtocolRun* run : group) with_seed.insert({key_of(*run), run->seed});
    if (with_seed.size() == group.size()) {
      number_trials(group);
    } else {
      name_by_folder(group);
    }
  }
}

void check_unambiguous(const std::vector<ProtocolRun>& runs) {
  std::map<RunKey, const ProtocolRun*> known;
  for (const ProtocolRun& run : runs) {
    const auto [place, first] = known.emplace(key_of(run), &run);
    check<ConfigError>(
        first,
        "'{}' and '{}' agree in set, algorithm, target, trial_seed and hparams_seed, by which DomainBed tells runs "
        "apart: export one of them, or give them different seeds",
        place->second->path.string(), run.path.string());
  }
}

}  // namespace domainfusion
