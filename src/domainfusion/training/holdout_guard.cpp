#include "domainfusion/training/holdout_guard.h"

#include <algorithm>

namespace domainfusion {

HoldoutGuard::HoldoutGuard(std::shared_ptr<const DomainDataset> dataset, std::vector<std::int64_t> held_out,
                           std::vector<std::vector<std::int64_t>> out_indices)
    : dataset_(std::move(dataset)), held_out_(std::move(held_out)), out_indices_(std::move(out_indices)) {
  for (const std::int64_t domain : held_out_) {
    names_.push_back(dataset_->domain_names().at(static_cast<std::size_t>(domain)));
  }
}

std::int64_t HoldoutGuard::target_images_among(const std::set<std::string>& hashes) const {
  std::int64_t count = 0;
  if (hashes.empty()) return count;
  for (const std::int64_t domain : held_out_) {
    for (std::int64_t i = 0; i < dataset_->size(domain); ++i) {
      count += static_cast<std::int64_t>(hashes.count(dataset_->image_hash(domain, i)));
    }
  }
  return count;
}

std::int64_t HoldoutGuard::out_images_among(const std::set<std::string>& hashes) const {
  std::int64_t count = 0;
  if (hashes.empty()) return count;
  for (std::size_t d = 0; d < out_indices_.size(); ++d) {
    const auto domain = static_cast<std::int64_t>(d);
    if (std::find(held_out_.begin(), held_out_.end(), domain) != held_out_.end()) continue;
    for (const std::int64_t index : out_indices_[d]) {
      count += static_cast<std::int64_t>(hashes.count(dataset_->image_hash(domain, index)));
    }
  }
  return count;
}

}  // namespace domainfusion
