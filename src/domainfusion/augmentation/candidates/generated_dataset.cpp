#include "domainfusion/augmentation/candidates/generated_dataset.h"

namespace domainfusion {

GeneratedDataset::GeneratedDataset(std::shared_ptr<const DomainDataset> raw, CandidateStore store)
    : raw_(std::move(raw)), store_(std::move(store)), entries_(static_cast<std::size_t>(raw_->number_of_domains())) {}

void GeneratedDataset::add(const ParentId& parent, const std::string& name, const std::string& key) {
  SampleInfo info = raw_->info(parent.domain, parent.index);
  info.path += name;
  entries_[static_cast<std::size_t>(parent.domain)].push_back({std::move(info), key});
}

std::int64_t GeneratedDataset::size(std::int64_t domain) const {
  return static_cast<std::int64_t>(entries_.at(static_cast<std::size_t>(domain)).size());
}

const GeneratedDataset::Entry& GeneratedDataset::entry(std::int64_t domain, std::int64_t index) const {
  return entries_.at(static_cast<std::size_t>(domain)).at(static_cast<std::size_t>(index));
}

}  // namespace domainfusion
