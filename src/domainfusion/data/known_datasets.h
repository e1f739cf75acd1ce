#pragma once
// What the program knows of the benchmarks' sets (assets/datasets/*.json, compiled in), and the words for domains and
// classes that prompts are made of.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/data/domain_dataset.h"

namespace domainfusion {

struct KnownDataset {
  std::string name;                              // "PACS"
  std::vector<std::string> domain_names;         // sorted, as folders are named
  std::vector<std::string> domain_descriptions;  // one per domain
  std::vector<std::int64_t> images;              // one per domain; 0 where not known
  std::vector<std::string> class_names;          // empty where the list is not kept here
  std::int64_t number_of_classes = 0;
  std::vector<std::string>
      environments;        // DomainBed's short names of the domains; empty where it does not know the set
  std::int64_t steps = 0;  // DomainBed's number of steps and checkpoint frequency; 0 likewise
  std::int64_t checkpoint_frequency = 0;
  std::string note;

  // Of a domain of this set, case, '_', '-' and spaces not counting; words_of_name() if it is none.
  std::string description_of(const std::string& domain_name) const;
};

// In a fixed order. `domainfusion inspect datasets` lists them.
const std::vector<KnownDataset>& known_datasets();

// The known set whose domains include all of `domain_names` and whose classes include all of `class_names` (where its
// classes are listed; else it must have at least as many); case, '_', '-' and spaces do not count. nullptr if none; the
// first of several.
const KnownDataset* find_known_dataset(const std::vector<std::string>& domain_names,
                                       const std::vector<std::string>& class_names);

// By name ("PACS", "office_home"), case, '_', '-' and spaces not counting; nullptr if none.
const KnownDataset* find_known_dataset(std::string_view name);

// "art_painting" -> "art painting": '_' and '-' become spaces.
std::string words_of_name(std::string_view name);

// One description per domain of the set, in its order: those of the known set it belongs to, else words_of_name().
std::vector<std::string> domain_descriptions(const DomainDataset& dataset);

}  // namespace domainfusion
