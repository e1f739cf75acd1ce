#include "domainfusion/augmentation/candidates/environments_dataset.h"

namespace domainfusion {

EnvironmentsDataset::EnvironmentsDataset(std::shared_ptr<const DomainDataset> sources, CandidateStore store,
                                         std::vector<GeneratedEnvironment> environments)
    : sources_(std::move(sources)),
      store_(std::move(store)),
      names_(sources_->domain_names()),
      environments_(std::move(environments)) {
  for (GeneratedEnvironment& environment : environments_) {
    for (StoredImage& image : environment.images) image.info.domain = std::ssize(names_);
    names_.push_back(environment.name);
  }
}

std::int64_t EnvironmentsDataset::size(std::int64_t domain) const {
  return is_source(domain) ? sources_->size(domain) : std::ssize(images_of(domain));
}

const SampleInfo& EnvironmentsDataset::info(std::int64_t domain, std::int64_t index) const {
  return is_source(domain) ? sources_->info(domain, index) : stored(domain, index).info;
}

Image EnvironmentsDataset::image(std::int64_t domain, std::int64_t index) const {
  return is_source(domain) ? sources_->image(domain, index) : store_.image(stored(domain, index).key);
}

std::string EnvironmentsDataset::file_hash(std::int64_t domain, std::int64_t index) const {
  return is_source(domain) ? sources_->file_hash(domain, index) : DomainDataset::file_hash(domain, index);
}

std::string EnvironmentsDataset::pixel_identity(std::int64_t domain, std::int64_t index) const {
  return is_source(domain) ? sources_->pixel_identity(domain, index) : DomainDataset::pixel_identity(domain, index);
}

const std::vector<StoredImage>& EnvironmentsDataset::images_of(std::int64_t domain) const {
  return environments_.at(static_cast<std::size_t>(domain - sources_->number_of_domains())).images;
}

const StoredImage& EnvironmentsDataset::stored(std::int64_t domain, std::int64_t index) const {
  return images_of(domain).at(static_cast<std::size_t>(index));
}

}  // namespace domainfusion
