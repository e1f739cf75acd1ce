#include "domainfusion/evaluation/tables/system_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/evaluation/sweeps/config_differences.h"
#include "domainfusion/evaluation/tables/set_names.h"
#include "domainfusion/training/options/hparams.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;
using Group = std::vector<ProtocolRun*>;
using RunKey = std::tuple<std::string, std::string, std::vector<std::int64_t>, std::int64_t, std::int64_t>;

RunKey key_of(const ProtocolRun& run) {
  return {run.dataset, run.algorithm, run.test_envs, run.trial_seed, run.hparams_seed};
}

// What tells the systems of runs apart, by option: texts as names say them.
using Traits = std::map<std::string, std::string>;
constexpr const char* kDrawn = "drawn";

std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : json_text(value); }

// Of a list each element; of a "@FILE" the file's name counts.
json without_folders(json value) {
  if (!value.is_array()) return value;
  for (json& element : value) {
    if (element.is_string() && element.get<std::string>().starts_with('@'))
      element = "@" + std::filesystem::path(element.get<std::string>().substr(1)).filename().string();
  }
  return value;
}

// Empty where there is no text.
std::string text_at(const json& object, const std::string& pointer) {
  const json value = object.is_object() ? object.value(json::json_pointer(pointer), json()) : json();
  return value.is_string() ? value.get<std::string>() : "";
}

// What the registry draws for the seeds of such a run.
std::map<std::string, json> drawn_options(const ProtocolRun& run) {
  if (text_at(run.config, "/hparams") != "domainbed") return {};
  const std::string algorithm = text_at(run.config, "/algorithm");
  const json hparams = hparams_of_trial(algorithm, text_at(run.config, "/benchmark"), run.hparams_seed, run.trial_seed);
  const auto options = options_of_hparams(hparams, algorithm, text_at(run.config, "/classifier/backbone"));
  return {options.begin(), options.end()};
}

Traits options_of(const ProtocolRun& run) {
  Traits traits;
  const auto drawn = drawn_options(run);
  for (const auto& [pointer, value] : option_values(with_defaults(run.config))) {
    if (is_of_one_run(pointer) || !changes_results("/config" + pointer)) continue;
    const std::string name = option_name(pointer);
    const auto draw = drawn.find(name);
    if (draw != drawn.end() && draw->second == value) {
      traits[name] = kDrawn;
    } else if (const std::string text = text_of(without_folders(value)); text.find('/') == std::string::npos) {
      traits[name] = text;  // a path differs from run to run
    }
  }
  return traits;
}

// Files whose content counts, by their option: the entry of provenance that is its hash.
const std::map<std::string, std::string> kHashed = {{"classifier.weights", "weights_hash"}, {"ldm", "ldm_hash"}};

std::string hash_of(const ProtocolRun& run, const std::string& entry) {
  return run.provenance.is_object() && run.provenance.contains(entry) ? text_of(run.provenance.at(entry)) : "";
}

std::string file_name(const ProtocolRun& run, const std::string& option) {
  std::string pointer = "/" + option;
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  return std::filesystem::path(text_at(run.config, pointer) + "/").lexically_normal().parent_path().filename().string();
}

// Whether runs of one target were given different ones. LDMs of different targets are different by right.
bool files_differ(const Group& group, const std::string& entry) {
  std::map<std::vector<std::int64_t>, std::set<std::string>> by_target;
  for (const ProtocolRun* run : group) {
    if (const std::string hash = hash_of(*run, entry); !hash.empty()) by_target[run->test_envs].insert(hash);
  }
  return std::any_of(by_target.begin(), by_target.end(), [](const auto& target) { return target.second.size() > 1; });
}

// Their names where these say it, else hashes.
void add_files(const Group& group, const std::string& option, const std::string& entry, std::vector<Traits>& traits) {
  std::map<std::string, std::set<std::string>> hashes;
  for (const ProtocolRun* run : group) hashes[file_name(*run, option)].insert(hash_of(*run, entry));
  const bool named =
      std::all_of(hashes.begin(), hashes.end(), [](const auto& name) { return name.second.size() == 1; });
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::string hash = hash_of(*group[i], entry);
    traits[i][option] = hash.empty() || hash == "null" ? "none"
                        : named                        ? file_name(*group[i], option)
                                                       : hash.substr(0, 8);
  }
}

// Whether all runs have the option and not all have it alike. Where runs with and without draws differ in that alone,
// the option "hparams" says it.
bool tells_apart(const std::string& name, const std::vector<Traits>& runs) {
  std::set<std::string> values;
  std::map<std::string, std::set<std::string>> by_source;
  for (const Traits& run : runs) {
    const auto value = run.find(name), source = run.find("hparams");
    if (value == run.end()) return false;
    values.insert(value->second);
    by_source[source == run.end() ? "" : source->second].insert(value->second);
  }
  const auto is_one = [](const auto& source) { return source.second.size() == 1; };
  if (values.contains(kDrawn) && std::all_of(by_source.begin(), by_source.end(), is_one)) return false;
  return values.size() > 1;
}

std::vector<Traits> differing_traits(const Group& group) {
  std::vector<Traits> all, differing(group.size());
  for (const ProtocolRun* run : group) all.push_back(options_of(*run));
  for (const auto& [name, value] : all.front()) {
    if (kHashed.contains(name) || !tells_apart(name, all)) continue;
    for (std::size_t i = 0; i < group.size(); ++i) differing[i][name] = all[i].at(name);
  }
  for (const auto& [option, entry] : kHashed) {
    if (files_differ(group, entry)) add_files(group, option, entry, differing);
  }
  return differing;
}

std::string described(const std::string& algorithm, const Traits& traits) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : traits) parts.push_back(fmt::format("{}={}", name, value));
  return fmt::format("{} ({})", algorithm, fmt::join(parts, ", "));
}

void name_by_options(std::vector<ProtocolRun>& runs) {
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (ProtocolRun& run : runs) {
    if (run.config.is_object()) groups[{run.dataset, run.algorithm}].push_back(&run);
  }
  for (const auto& [key, group] : groups) {
    const std::vector<Traits> traits = differing_traits(group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (!traits[i].empty()) rename_algorithm(*group[i], described(group[i]->algorithm, traits[i]));
    }
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

// data_hash takes images of the sources' IN splits.
std::string hashed_images(const std::vector<std::string>& held_out, const json& config) {
  if (!config.is_object()) return "";
  return fmt::format("{} trial {} holdout {}", fmt::join(held_out, "+"), json_text(config.value("trial_seed", json())),
                     json_text(config.value("holdout_fraction", json())));
}

std::vector<std::int64_t> images_of(const std::vector<std::string>& domains,
                                    const std::map<std::string, std::int64_t>& by_domain) {
  std::vector<std::int64_t> images;
  for (const std::string& domain : domains) {
    if (const auto found = by_domain.find(domain); found != by_domain.end()) images.push_back(found->second);
  }
  return images;
}

SetTraits set_of(const ProtocolRun& run) {
  std::vector<std::string> held_out;
  for (const std::int64_t env : run.test_envs) held_out.push_back(std::to_string(env));
  const std::string folder =
      run.config.is_object() ? text_at(run.config, "/data/root") : text_at(run.args, "/data_dir");
  return {run.dataset,
          run.environments,
          run.classes,
          images_of(run.environments, run.images),
          text_at(run.provenance, "/data_hash"),
          hashed_images(held_out, run.config),
          folder,
          run.path.parent_path()};
}

SetTraits set_of(const RunResult& run) {
  return {run.dataset,
          run.domain_names,
          run.class_names,
          images_of(run.domain_names, run.images),
          text_at(run.provenance, "/data_hash"),
          hashed_images({run.test_domain, run.cross_validation_domain}, run.config),
          text_at(run.config, "/data/root"),
          run.path.parent_path()};
}

template <class Run>
std::vector<std::string> names_of_their_sets(const std::vector<Run>& runs) {
  std::vector<SetTraits> sets;
  for (const Run& run : runs) sets.push_back(set_of(run));
  return names_of_sets(sets);
}

}  // namespace

void tell_sets_apart(std::vector<ProtocolRun>& runs) {
  const auto names = names_of_their_sets(runs);
  for (std::size_t i = 0; i < runs.size(); ++i) rename_set(runs[i], names[i]);
}

void tell_sets_apart(std::vector<RunResult>& runs) {
  const auto names = names_of_their_sets(runs);
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].dataset = names[i];
}

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
