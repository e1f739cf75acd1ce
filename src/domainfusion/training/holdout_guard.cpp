#include "domainfusion/training/holdout_guard.h"

#include "domainfusion/core/parallel.h"

namespace domainfusion {

HoldoutGuard::HoldoutGuard(std::shared_ptr<const DomainDataset> dataset, std::int64_t target_domain,
                           std::vector<std::vector<std::int64_t>> out_indices)
    : dataset_(std::move(dataset)), target_domain_(target_domain), out_indices_(std::move(out_indices)) {}

const std::string& HoldoutGuard::target_name() const {
  return dataset_->domain_names()[static_cast<std::size_t>(target_domain_)];
}

std::int64_t HoldoutGuard::target_images_among(const std::set<std::string>& hashes) const {
  std::int64_t count = 0;
  if (hashes.empty()) return count;
  for (std::int64_t i = 0; i < dataset_->size(target_domain_); ++i) {
    count += static_cast<std::int64_t>(hashes.count(dataset_->image_hash(target_domain_, i)));
  }
  return count;
}

std::vector<std::string> HoldoutGuard::hashes_of(std::int64_t domain) const {
  std::vector<std::string> hashes(static_cast<std::size_t>(dataset_->size(domain)));
  parallel_for_each(hashes.size(),
                    [&](std::size_t i) { hashes[i] = dataset_->image_hash(domain, static_cast<std::int64_t>(i)); });
  return hashes;
}

std::vector<std::string> HoldoutGuard::source_images_in_target() const {
  const std::vector<std::string> target = hashes_of(target_domain_);
  const std::set<std::string> held_out(target.begin(), target.end());
  std::vector<std::string> paths;
  for (std::int64_t domain = 0; domain < dataset_->number_of_domains(); ++domain) {
    if (domain == target_domain_) continue;
    const std::vector<std::string> hashes = hashes_of(domain);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      if (held_out.contains(hashes[i])) paths.push_back(dataset_->info(domain, static_cast<std::int64_t>(i)).path);
    }
  }
  return paths;
}

std::int64_t HoldoutGuard::out_images_among(const std::set<std::string>& hashes) const {
  std::int64_t count = 0;
  if (hashes.empty()) return count;
  for (std::size_t d = 0; d < out_indices_.size(); ++d) {
    const auto domain = static_cast<std::int64_t>(d);
    if (domain == target_domain_) continue;
    for (const std::int64_t index : out_indices_[d]) {
      count += static_cast<std::int64_t>(hashes.count(dataset_->image_hash(domain, index)));
    }
  }
  return count;
}

}  // namespace domainfusion
