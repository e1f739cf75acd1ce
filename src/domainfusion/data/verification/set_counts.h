#pragma once
// How many images a set has of each domain and class, and whether that is what is known of a benchmark.

#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/data/sets/known_datasets.h"

namespace domainfusion {

struct SetCounts {
  std::vector<std::string> domain_names, class_names;
  std::vector<std::vector<std::int64_t>> images;  // [domain][class]

  std::int64_t of_domain(std::size_t domain) const;
  std::int64_t total() const;
  // One line per class, one column per domain, sums at the end.
  std::string table() const;
};

SetCounts count_images(const DomainDataset& dataset);

// The counts of a known set, for table(); figures that are not known stay 0, and a set without any figure per class has
// the one line "all".
SetCounts counts_of(const KnownDataset& known);

// One sentence per domain or class that the known set does not have, where `all_domains` is true per domain that is
// missing here, and per figure that differs.
std::vector<std::string> differences_from_known(const SetCounts& counts, const KnownDataset& known, bool all_domains);

}  // namespace domainfusion
