#pragma once
// A set that shows another one's names, places and hashes and gives its images in its own way: the base of caches.
// One whose pixels are others says so in pixel_identity().

#include <memory>
#include <utility>

#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

class WrappedDataset : public DomainDataset {
 public:
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::vector<std::string>& domain_names() const override { return dataset_->domain_names(); }
  std::int64_t size(std::int64_t domain) const override { return dataset_->size(domain); }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override {
    return dataset_->info(domain, index);
  }
  std::string file_hash(std::int64_t domain, std::int64_t index) const override {
    return dataset_->file_hash(domain, index);
  }
  std::string pixel_identity(std::int64_t domain, std::int64_t index) const override {
    return dataset_->pixel_identity(domain, index);
  }

 protected:
  explicit WrappedDataset(std::shared_ptr<const DomainDataset> dataset) : dataset_(std::move(dataset)) {}
  const DomainDataset& inner() const { return *dataset_; }

 private:
  std::shared_ptr<const DomainDataset> dataset_;
};

}  // namespace domainfusion
