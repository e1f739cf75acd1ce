#pragma once
// Answers whether something that an algorithm brings along (an LDM's training images, a prompt) has to do with images
// that must not be used; it gives out no image.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

class HoldoutGuard {
 public:
  // `held_out`: the target, and in leave-one-domain-out runs a second domain. `out_indices[d]`: OUT images of domain d
  // of `dataset`; ignored for held-out ones.
  HoldoutGuard(std::shared_ptr<const DomainDataset> dataset, std::vector<std::int64_t> held_out,
               std::vector<std::vector<std::int64_t>> out_indices);

  const std::string& target_name() const { return names_.front(); }
  // Names of all held-out domains, for guards on prompts and on the domains that an LDM was trained on.
  const std::vector<std::string>& held_out_names() const { return names_; }
  std::vector<std::string> source_names() const;
  // How many images of the held-out domains, or of the sources' OUT splits, have one of these hashes, as an LDM records
  // them (recorded_hash()). Reads files when called.
  std::int64_t target_images_among(const std::set<std::string>& hashes) const;
  std::int64_t out_images_among(const std::set<std::string>& hashes) const;
  // Paths of the source images whose files lie in a held-out domain too, in the order of the set. Reads files, on all
  // CPUs.
  std::vector<std::string> source_images_in_target() const;

 private:
  bool is_held_out(std::int64_t domain) const;
  std::vector<std::string> hashes_of(std::int64_t domain) const;

  std::shared_ptr<const DomainDataset> dataset_;
  std::vector<std::int64_t> held_out_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::int64_t>> out_indices_;
};

}  // namespace domainfusion
