#pragma once
// A set whose large images are made smaller before anything else sees them.

#include <memory>

#include "domainfusion/data/sets/wrapped_dataset.h"

namespace domainfusion {

// An image whose shorter side is over side_px, resized so that it is side_px (bilinear with PIL's pixels; the longer
// side in proportion, rounded, at least side_px); others as they are.
Image shrunk(Image image, std::int64_t side_px);

// This changes what training sees: it is an option of its own, never part of a cache.
class ShrunkDataset final : public WrappedDataset {
 public:
  ShrunkDataset(std::shared_ptr<const DomainDataset> dataset, std::int64_t side_px)
      : WrappedDataset(std::move(dataset)), side_px_(side_px) {}

  Image image(std::int64_t domain, std::int64_t index) const override {
    return shrunk(inner().image(domain, index), side_px_);
  }
  std::string pixel_identity(std::int64_t domain, std::int64_t index) const override {
    return fmt::format("{}-shrunk-{}", inner().pixel_identity(domain, index), side_px_);
  }

 private:
  std::int64_t side_px_;
};

}  // namespace domainfusion
