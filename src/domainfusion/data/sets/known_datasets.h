#pragma once
// What the program knows of the benchmarks' sets (assets/datasets/*.json, compiled in), what a user's file of the same
// form says of another set, and the words for domains and classes that prompts are made of.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// A file to download; unpacked, it holds domain folders.
struct DatasetArchive {
  std::string url;
  std::string sha256;  // empty where it is not known

  // What follows the last '/' of the URL, without a query.
  std::string file_name() const;
};

struct KnownDataset {
  std::string name;                                        // "PACS"
  std::vector<std::string> domain_names;                   // sorted, as folders are named
  std::vector<std::string> domain_descriptions;            // one per domain
  std::vector<std::vector<std::string>> domain_near;       // near synonyms of each domain, words or phrases; or empty
  std::vector<std::int64_t> images;                        // one per domain; 0 where not known
  std::vector<std::vector<std::int64_t>> images_of_class;  // [domain][class]; empty for a domain where not known
  std::vector<std::string> class_names;                    // sorted; empty where the list is not kept
  std::map<std::string, std::string> class_words;          // of classes whose name is not the word for them
  std::int64_t number_of_classes = 0;
  std::vector<DatasetArchive> archives;  // empty where no address is sure
  std::vector<std::string>
      environments;        // DomainBed's short names of the domains; empty where it does not know the set
  std::int64_t steps = 0;  // DomainBed's number of steps and checkpoint frequency; 0 likewise
  std::int64_t checkpoint_frequency = 0;
  std::string note;

  // Of a domain of this set, case, '_', '-' and spaces not counting; words_of_name() if it is none.
  std::string description_of(const std::string& domain_name) const;
  // Likewise its near synonyms, by which a style may not come close to a held-out domain; empty if it is none.
  std::vector<std::string> near_of(const std::string& domain_name) const;
  // The place of a name among domain_names or class_names, spelt in any of those ways; -1 if it is none.
  std::ptrdiff_t domain_place(const std::string& name) const;
  std::ptrdiff_t class_place(const std::string& name) const;
};

// Whether two names differ in nothing but case, '_', '-' and spaces.
bool is_same_name(std::string_view a, std::string_view b);

// In a fixed order. `domainfusion inspect datasets` lists them.
const std::vector<KnownDataset>& known_datasets();

// By name ("PACS", "office-home"; case, '_', '-' and spaces do not count). ConfigError that lists the known ones.
const KnownDataset& known_dataset(const std::string& name);

// The known set whose domains include all of `domain_names` and whose classes include all of `class_names` (where its
// classes are listed; else it must have at least as many); case, '_', '-' and spaces do not count. nullptr if none; the
// first of several.
const KnownDataset* find_known_dataset(const std::vector<std::string>& domain_names,
                                       const std::vector<std::string>& class_names);

// A description in the form of assets/datasets/*.json, of which a user's file may leave out everything:
//   {"domains": [{"name": "clay", "description": "clay figure", "near": ["plasticine", …]}, …],
//    "classes": {"n02084071": "dog", …}}
// `classes` is a list of names, or an object from names to words. IoError, or FormatError that names the file.
KnownDataset read_dataset_description(const std::filesystem::path& file);

// By name ("PACS", "office_home"), case, '_', '-' and spaces not counting; nullptr if none.
const KnownDataset* find_known_dataset(std::string_view name);

// "art_painting" -> "art painting": '_' and '-' become spaces.
std::string words_of_name(std::string_view name);

// The words for a set's domains and classes: those of a description file where it has them, else those of the known
// set, else words_of_name().
class PromptWords {
 public:
  // `descriptions`: a file for read_dataset_description(), or empty. Errors as there.
  PromptWords(const std::vector<std::string>& domain_names, std::vector<std::string> class_names,
              const std::filesystem::path& descriptions = {});

  std::string domain(const std::string& name) const;
  std::vector<std::string> domains(const std::vector<std::string>& names) const;
  // Near synonyms of a domain; empty where neither the file nor a known set lists any.
  std::vector<std::string> near(const std::string& name) const;
  // One per class name, in their order.
  std::vector<std::string> classes() const;

 private:
  const KnownDataset* known_;
  KnownDataset own_;
  std::vector<std::string> class_names_;
};

// ConfigError that names the nearest if the file describes a domain or class that the set does not have.
void check_descriptions(const std::filesystem::path& file, const DomainDataset& dataset);

}  // namespace domainfusion
