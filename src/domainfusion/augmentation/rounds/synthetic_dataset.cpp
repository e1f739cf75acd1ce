#include "domainfusion/augmentation/rounds/synthetic_dataset.h"

#include <numeric>

#include "domainfusion/core/error.h"

namespace domainfusion {

SyntheticDataset::SyntheticDataset(const SyntheticStore& store, std::shared_ptr<const DomainDataset> raw,
                                   std::int64_t round)
    : folder_(store.folder()),
      raw_(std::move(raw)),
      round_(round),
      entries_(static_cast<std::size_t>(raw_->number_of_domains())) {
  for (std::int64_t domain = 0; domain < raw_->number_of_domains(); ++domain) {
    for (std::int64_t index = 0; index < raw_->size(domain); ++index) {
      const SyntheticRecord* record = store.newest(round, {domain, index});
      if (record == nullptr) continue;
      const SampleInfo& parent = raw_->info(domain, index);
      check<FormatError>(parent.path == record->parent_path,
                         "the synthetic set's image {} of domain {} was made from '{}', but the raw "
                         "set has '{}' there; resume on the set that the run was started on",
                         index, domain, record->parent_path, parent.path);
      entries_[static_cast<std::size_t>(domain)].push_back({{parent.path + ".png", parent.label, domain}, *record});
    }
  }
}

const SyntheticDataset::Entry& SyntheticDataset::entry(std::int64_t domain, std::int64_t index) const {
  check<ConfigError>(domain >= 0 && domain < number_of_domains() && index >= 0 && index < size(domain),
                     "image {} of domain {} was asked of a synthetic set that has no such image", index, domain);
  return entries_[static_cast<std::size_t>(domain)][static_cast<std::size_t>(index)];
}

std::int64_t SyntheticDataset::size(std::int64_t domain) const {
  return static_cast<std::int64_t>(entries_.at(static_cast<std::size_t>(domain)).size());
}

const SampleInfo& SyntheticDataset::info(std::int64_t domain, std::int64_t index) const {
  return entry(domain, index).info;
}

Image SyntheticDataset::image(std::int64_t domain, std::int64_t index) const {
  return SyntheticStore::image(folder_, entry(domain, index).record);
}

std::int64_t SyntheticDataset::total() const {
  return std::accumulate(entries_.begin(), entries_.end(), std::int64_t{0}, [](std::int64_t sum, const auto& list) {
    return sum + static_cast<std::int64_t>(list.size());
  });
}

const ParentId& SyntheticDataset::parent(std::int64_t domain, std::int64_t index) const {
  return entry(domain, index).record.parent;
}

std::vector<DomainSelection> SyntheticDataset::selections(const std::vector<std::int64_t>& domains) const {
  std::vector<DomainSelection> list;
  for (std::int64_t domain : domains) {
    if (size(domain) == 0) continue;
    DomainSelection selection{domain, std::vector<std::int64_t>(static_cast<std::size_t>(size(domain)))};
    std::iota(selection.indices.begin(), selection.indices.end(), 0);
    list.push_back(std::move(selection));
  }
  return list;
}

}  // namespace domainfusion
