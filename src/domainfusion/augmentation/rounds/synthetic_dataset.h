#pragma once
// The synthetic images as of one round, as a set that the loader draws from like from any other.

#include <memory>

#include "domainfusion/augmentation/rounds/synthetic_store.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// Each parent stands for at most one image: its newest one as of the round. Class and domain names are those of the raw
// set; in each domain the images stand in the order of their parents. A snapshot: neither later rounds nor the end of
// the store change it.
class SyntheticDataset final : public DomainDataset {
 public:
  // round -1: no image yet. FormatError if the raw set does not hold the parents that the store names.
  SyntheticDataset(const SyntheticStore& store, std::shared_ptr<const DomainDataset> raw, std::int64_t round);

  const std::vector<std::string>& class_names() const override { return raw_->class_names(); }
  const std::vector<std::string>& domain_names() const override { return raw_->domain_names(); }
  std::int64_t size(std::int64_t domain) const override;
  // The path is that of the parent and ".png"; the label is the parent's.
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override;
  Image image(std::int64_t domain, std::int64_t index) const override;

  std::int64_t round() const { return round_; }
  std::int64_t total() const;
  const ParentId& parent(std::int64_t domain, std::int64_t index) const;
  // All images of the given domains; domains without any are left out.
  std::vector<DomainSelection> selections(const std::vector<std::int64_t>& domains) const;

 private:
  struct Entry {
    SampleInfo info;
    SyntheticRecord record;
  };
  const Entry& entry(std::int64_t domain, std::int64_t index) const;

  std::filesystem::path folder_;
  std::shared_ptr<const DomainDataset> raw_;
  std::int64_t round_;
  std::vector<std::vector<Entry>> entries_;  // [domain][index]
};

}  // namespace domainfusion
