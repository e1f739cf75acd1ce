#include "domainfusion/evaluation/tables/set_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "domainfusion/core/log.h"
#include "domainfusion/data/sets/known_datasets.h"

namespace domainfusion {
namespace {

using Sets = std::vector<std::vector<const SetTraits*>>;  // runs by set

template <class List>
bool both_known(const List& a, const List& b) {
  return !a.empty() && !b.empty();
}

bool names_differ(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return both_known(a, b) && !std::equal(a.begin(), a.end(), b.begin(), b.end(), is_same_name);
}

// "env0", "env1", …: their names are not known.
bool are_numbered(const std::vector<std::string>& domains) { return !domains.empty() && domains.front() == "env0"; }

bool domains_differ(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return are_numbered(a) || are_numbered(b) ? both_known(a, b) && a.size() != b.size() : names_differ(a, b);
}

bool sets_differ(const SetTraits& a, const SetTraits& b) {
  return domains_differ(a.domains, b.domains) || names_differ(a.classes, b.classes) ||
         (both_known(a.images, b.images) && a.images != b.images) ||
         (both_known(a.data_hash, b.data_hash) && a.hashed == b.hashed && a.data_hash != b.data_hash);
}

// Runs that say the same of their set are looked at once.
std::string summary(const SetTraits& run) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", fmt::join(run.domains, "/"), fmt::join(run.classes, "/"),
                     fmt::join(run.images, "/"), run.data_hash, run.hashed, run.folder, run.place.string());
}

// How much speaks for a run's being of a set, none of whose runs contradicts it.
int likeness(const SetTraits& run, const std::vector<const SetTraits*>& set) {
  int best = 0;
  for (const SetTraits* other : set) {
    if (!run.folder.empty() && run.folder == other->folder) return 2;
    if (run.place == other->place) best = 1;
  }
  return best;
}

std::size_t place_among(const SetTraits& run, Sets& sets) {
  std::size_t best = sets.size();
  int best_likeness = -1;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (std::any_of(sets[i].begin(), sets[i].end(), [&](const SetTraits* other) { return sets_differ(run, *other); }))
      continue;
    const int alike = likeness(run, sets[i]);
    if (alike > best_likeness) best = i;
    best_likeness = std::max(best_likeness, alike);
  }
  if (best == sets.size()) sets.emplace_back();
  sets[best].push_back(&run);
  return best;
}

// By run, the number of its set among those of this name.
std::vector<std::size_t> sets_of(const std::vector<const SetTraits*>& runs, Sets& sets) {
  std::vector<std::size_t> places(runs.size());
  std::map<std::string, std::size_t> known;
  // Those that say least of their set (there is only a plan of them) are placed last.
  for (const bool says_classes : {true, false}) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (runs[i]->classes.empty() == says_classes) continue;
      const auto [entry, first] = known.emplace(summary(*runs[i]), 0);
      if (first) entry->second = place_among(*runs[i], sets);
      places[i] = entry->second;
    }
  }
  return places;
}

std::vector<std::string> labels_of(const std::string& name, const Sets& sets) {
  const auto numbered = [&] {
    std::vector<std::string> labels;
    for (std::size_t i = 0; i < sets.size(); ++i) labels.push_back(fmt::format("{} ({})", name, i + 1));
    return labels;
  };
  const auto labelled = [&](auto text_of) {
    std::vector<std::string> labels;
    for (const auto& set : sets) labels.push_back(fmt::format("{} ({})", name, text_of(*set.front())));
    return std::set(labels.begin(), labels.end()).size() == sets.size() ? labels : std::vector<std::string>{};
  };
  auto labels = labelled([](const SetTraits& run) { return fmt::format("{}", fmt::join(run.domains, ", ")); });
  if (labels.empty()) labels = labelled([](const SetTraits& run) { return run.folder; });
  return labels.empty() ? numbered() : labels;
}

}  // namespace

std::vector<std::string> names_of_sets(const std::vector<SetTraits>& runs) {
  std::map<std::string, std::vector<std::size_t>> by_name;
  for (std::size_t i = 0; i < runs.size(); ++i) by_name[runs[i].name].push_back(i);
  std::vector<std::string> names(runs.size());
  for (const auto& [own, indices] : by_name) {
    const std::string name = own.empty() ? "unnamed" : own;
    std::vector<const SetTraits*> group;
    for (const std::size_t i : indices) group.push_back(&runs[i]);
    Sets sets;
    const auto places = sets_of(group, sets);
    const auto labels = sets.size() == 1 ? std::vector{name} : labels_of(name, sets);
    for (std::size_t i = 0; i < indices.size(); ++i) names[indices[i]] = labels[places[i]];
    if (sets.size() > 1)
      log_warning("{} different sets are called '{}'; here they are: {}", sets.size(), name, fmt::join(labels, "; "));
  }
  return names;
}

}  // namespace domainfusion
