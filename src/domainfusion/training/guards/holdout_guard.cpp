#include "domainfusion/training/guards/holdout_guard.h"

#include <algorithm>

#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/diffusion/ldm_provenance.h"

namespace domainfusion {

HoldoutGuard::HoldoutGuard(std::shared_ptr<const DomainDataset> dataset, std::vector<std::int64_t> held_out,
                           std::vector<std::vector<std::int64_t>> out_indices)
    : dataset_(std::move(dataset)), held_out_(std::move(held_out)), out_indices_(std::move(out_indices)) {
  for (const std::int64_t domain : held_out_) {
    names_.push_back(dataset_->domain_names().at(static_cast<std::size_t>(domain)));
  }
}

bool HoldoutGuard::is_held_out(std::int64_t domain) const {
  return std::find(held_out_.begin(), held_out_.end(), domain) != held_out_.end();
}

std::vector<std::string> HoldoutGuard::source_names() const {
  std::vector<std::string> names;
  for (std::int64_t domain = 0; domain < dataset_->number_of_domains(); ++domain) {
    if (!is_held_out(domain)) names.push_back(dataset_->domain_names()[static_cast<std::size_t>(domain)]);
  }
  return names;
}

std::int64_t HoldoutGuard::target_images_among(const std::set<std::string>& hashes) const {
  std::int64_t count = 0;
  if (hashes.empty()) return count;
  for (const std::int64_t domain : held_out_) {
    for (std::int64_t i = 0; i < dataset_->size(domain); ++i) {
      count += static_cast<std::int64_t>(hashes.count(recorded_hash(dataset_->file_hash(domain, i))));
    }
  }
  return count;
}

std::vector<std::string> HoldoutGuard::hashes_of(std::int64_t domain) const {
  std::vector<std::string> hashes(static_cast<std::size_t>(dataset_->size(domain)));
  parallel_for_each(hashes.size(),
                    [&](std::size_t i) { hashes[i] = dataset_->file_hash(domain, static_cast<std::int64_t>(i)); });
  return hashes;
}

std::vector<std::string> HoldoutGuard::source_images_in_target() const {
  std::set<std::string> held_out;
  for (const std::int64_t domain : held_out_) {
    for (std::string& hash : hashes_of(domain)) held_out.insert(std::move(hash));
  }
  std::vector<std::string> paths;
  for (std::int64_t domain = 0; domain < dataset_->number_of_domains(); ++domain) {
    if (is_held_out(domain)) continue;
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
    if (is_held_out(domain)) continue;
    for (const std::int64_t index : out_indices_[d]) {
      count += static_cast<std::int64_t>(hashes.count(recorded_hash(dataset_->file_hash(domain, index))));
    }
  }
  return count;
}

}  // namespace domainfusion
