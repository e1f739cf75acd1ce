#pragma once
// Keeps decoded images of another set in memory, so that each file is decoded once as long as they fit.

#include <atomic>
#include <memory>
#include <mutex>

#include "domainfusion/data/sets/wrapped_dataset.h"

namespace domainfusion {

// The first images that are asked for stay until `byte_limit` bytes of pixels are held; the others are decoded each
// time (images are drawn at random, so none deserves a place more than another). Thread-safe; pixels do not depend on
// what is held. Domains before `first_domain` are passed through: those that have such a memory already.
class CachedDataset final : public WrappedDataset {
 public:
  CachedDataset(std::shared_ptr<const DomainDataset> dataset, std::int64_t byte_limit, std::int64_t first_domain = 0);

  Image image(std::int64_t domain, std::int64_t index) const override;

  std::int64_t bytes_held() const { return bytes_held_; }

 private:
  using Slot = std::shared_ptr<const Image>;

  std::int64_t byte_limit_, first_domain_;
  mutable std::vector<std::vector<Slot>> slots_;  // [domain][index]
  mutable std::mutex mutex_;
  mutable std::atomic<std::int64_t> bytes_held_ = 0;
};

}  // namespace domainfusion
