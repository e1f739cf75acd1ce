#pragma once
// A set whose large images are made smaller before anything else sees them.

#include <memory>

#include "domainfusion/data/domain_dataset.h"

namespace domainfusion {

// Images whose shorter side is over `side_px` are resized so that it is side_px (bilinear with PIL's pixels; the longer
// side in proportion, rounded, at least side_px). This changes what training sees: it is an option of its own, never
// part of a cache.
class ShrunkDataset final : public DomainDataset {
 public:
  ShrunkDataset(std::shared_ptr<const DomainDataset> dataset, std::int64_t side_px)
      : dataset_(std::move(dataset)), side_px_(side_px) {}

  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::vector<std::string>& domain_names() const override { return dataset_->domain_names(); }
  std::int64_t size(std::int64_t domain) const override { return dataset_->size(domain); }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override {
    return dataset_->info(domain, index);
  }
  Image image(std::int64_t domain, std::int64_t index) const override;
  // Of the file, as before.
  std::string image_hash(std::int64_t domain, std::int64_t index) const override {
    return dataset_->image_hash(domain, index);
  }

 private:
  std::shared_ptr<const DomainDataset> dataset_;
  std::int64_t side_px_;
};

}  // namespace domainfusion
