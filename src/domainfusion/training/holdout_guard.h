#pragma once
// Answers whether something that an algorithm brings along (an LDM's training images, a prompt) has to do with images
// that must not be used; it gives out no image.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "domainfusion/data/domain_dataset.h"

namespace domainfusion {

class HoldoutGuard {
 public:
  // `out_indices[d]`: OUT images of domain d of `dataset`; ignored for the target.
  HoldoutGuard(std::shared_ptr<const DomainDataset> dataset, std::int64_t target_domain,
               std::vector<std::vector<std::int64_t>> out_indices);

  // Name of the held-out domain, for guards on prompts and on the domains that an LDM was trained on.
  const std::string& target_name() const;
  // How many images of the target, or of the sources' OUT splits, have one of these SHA-256 hashes. Reads files when
  // called.
  std::int64_t target_images_among(const std::set<std::string>& hashes) const;
  std::int64_t out_images_among(const std::set<std::string>& hashes) const;
  // Paths of the source images whose files lie in the held-out domain too, in the order of the set. Reads files, on all
  // CPUs.
  std::vector<std::string> source_images_in_target() const;

 private:
  std::vector<std::string> hashes_of(std::int64_t domain) const;

  std::shared_ptr<const DomainDataset> dataset_;
  std::int64_t target_domain_;
  std::vector<std::vector<std::int64_t>> out_indices_;
};

}  // namespace domainfusion
