#include "domainfusion/data/sets/joined_dataset.h"

#include "domainfusion/core/error.h"

namespace domainfusion {

JoinedDataset::JoinedDataset(std::shared_ptr<const DomainDataset> first, std::shared_ptr<const DomainDataset> second)
    : WrappedDataset(std::move(first)), second_(std::move(second)) {
  check<ConfigError>(domain_names() == second_->domain_names() && class_names() == second_->class_names(),
                     "sets of the domains {} and {} cannot be joined: expected equal domains and classes",
                     fmt::join(domain_names(), ", "), fmt::join(second_->domain_names(), ", "));
}

const SampleInfo& JoinedDataset::info(std::int64_t domain, std::int64_t index) const {
  const std::int64_t first = inner().size(domain);
  return index < first ? inner().info(domain, index) : second_->info(domain, index - first);
}

Image JoinedDataset::image(std::int64_t domain, std::int64_t index) const {
  const std::int64_t first = inner().size(domain);
  return index < first ? inner().image(domain, index) : second_->image(domain, index - first);
}

std::string JoinedDataset::file_hash(std::int64_t domain, std::int64_t index) const {
  const std::int64_t first = inner().size(domain);
  return index < first ? inner().file_hash(domain, index) : second_->file_hash(domain, index - first);
}

std::string JoinedDataset::pixel_identity(std::int64_t domain, std::int64_t index) const {
  const std::int64_t first = inner().size(domain);
  return index < first ? inner().pixel_identity(domain, index) : second_->pixel_identity(domain, index - first);
}

}  // namespace domainfusion
