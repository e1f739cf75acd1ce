#include "domainfusion/data/caches/cached_dataset.h"

namespace domainfusion {

CachedDataset::CachedDataset(std::shared_ptr<const DomainDataset> dataset, std::int64_t byte_limit,
                             std::int64_t first_domain)
    : WrappedDataset(std::move(dataset)), byte_limit_(byte_limit), first_domain_(first_domain) {
  for (std::int64_t d = 0; d < inner().number_of_domains(); ++d) {
    slots_.emplace_back(static_cast<std::size_t>(inner().size(d)));
  }
}

Image CachedDataset::image(std::int64_t domain, std::int64_t index) const {
  if (domain < first_domain_) return inner().image(domain, index);
  Slot held;
  {
    const std::lock_guard lock(mutex_);
    held = slots_.at(static_cast<std::size_t>(domain)).at(static_cast<std::size_t>(index));
  }
  if (held) return *held;
  // Decoded outside the lock: two threads may do the same work once, which costs less than waiting always.
  Image image = inner().image(domain, index);
  const auto bytes = static_cast<std::int64_t>(image.rgb.size());
  if (bytes_held_ + bytes > byte_limit_) return image;
  held = std::make_shared<const Image>(image);
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[static_cast<std::size_t>(domain)][static_cast<std::size_t>(index)];
  if (!slot && bytes_held_ + bytes <= byte_limit_) {
    slot = std::move(held);
    bytes_held_ += bytes;
  }
  return image;
}

}  // namespace domainfusion
