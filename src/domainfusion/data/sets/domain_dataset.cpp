#include "domainfusion/data/sets/domain_dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/core/nearest_name.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

std::string DomainDataset::file_hash(std::int64_t domain, std::int64_t index) const {
  return sha256_hex(encode_png(image(domain, index)));
}

std::int64_t DomainDataset::domain_index(std::string_view name) const {
  const auto& names = domain_names();
  const auto place = std::find(names.begin(), names.end(), name);
  check<ConfigError>(place != names.end(), "unknown domain '{}'{}; the set has: {}", name, did_you_mean(name, names),
                     fmt::join(names, ", "));
  return place - names.begin();
}

std::vector<std::int64_t> DomainDataset::domain_indices(const std::vector<std::string>& names) const {
  std::vector<std::int64_t> indices;
  for (const std::string& name : names) {
    const std::int64_t index = domain_index(name);
    check<ConfigError>(std::find(indices.begin(), indices.end(), index) == indices.end(), "domain '{}' is named twice",
                       name);
    indices.push_back(index);
  }
  return indices;
}

void require_domains(const DomainDataset& dataset, std::int64_t count, std::string_view purpose) {
  check<ConfigError>(dataset.number_of_domains() >= count, "{} needs at least {} domains, the set has {}: {}", purpose,
                     count, dataset.number_of_domains(), fmt::join(dataset.domain_names(), ", "));
}

}  // namespace domainfusion
