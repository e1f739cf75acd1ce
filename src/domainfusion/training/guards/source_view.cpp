#include "domainfusion/training/guards/source_view.h"

#include "domainfusion/core/error.h"

namespace domainfusion {

SourceView::SourceView(std::shared_ptr<const DomainDataset> dataset, std::vector<Part> parts)
    : dataset_(std::move(dataset)), parts_(std::move(parts)) {
  for (std::size_t d = 0; d < parts_.size(); ++d) {
    const std::int64_t domain = parts_[d].domain;
    domain_names_.push_back(dataset_->domain_names().at(static_cast<std::size_t>(domain)));
    std::vector<SampleInfo>& infos = infos_.emplace_back();
    for (const std::int64_t index : parts_[d].indices) {
      infos.push_back(dataset_->info(domain, index));
      infos.back().domain = static_cast<std::int64_t>(d);
    }
  }
}

std::int64_t SourceView::size(std::int64_t domain) const {
  return static_cast<std::int64_t>(infos_.at(static_cast<std::size_t>(domain)).size());
}

const SampleInfo& SourceView::info(std::int64_t domain, std::int64_t index) const {
  return infos_.at(static_cast<std::size_t>(domain)).at(static_cast<std::size_t>(index));
}

std::int64_t SourceView::original_index(std::int64_t domain, std::int64_t index) const {
  const Part& part = parts_.at(static_cast<std::size_t>(domain));
  check<ConfigError>(index >= 0 && index < static_cast<std::int64_t>(part.indices.size()),
                     "image {} of domain {}: the view holds {}", index, domain, part.indices.size());
  return part.indices[static_cast<std::size_t>(index)];
}

Image SourceView::image(std::int64_t domain, std::int64_t index) const {
  const std::int64_t original = original_index(domain, index);
  return dataset_->image(parts_[static_cast<std::size_t>(domain)].domain, original);
}

std::string SourceView::file_hash(std::int64_t domain, std::int64_t index) const {
  const std::int64_t original = original_index(domain, index);
  return dataset_->file_hash(parts_[static_cast<std::size_t>(domain)].domain, original);
}

std::string SourceView::pixel_identity(std::int64_t domain, std::int64_t index) const {
  const std::int64_t original = original_index(domain, index);
  return dataset_->pixel_identity(parts_[static_cast<std::size_t>(domain)].domain, original);
}

}  // namespace domainfusion
