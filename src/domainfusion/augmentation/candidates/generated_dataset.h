#pragma once
// Images of a candidate store as a set that the loader draws from like from any other.

#include "domainfusion/augmentation/candidates/candidate_store.h"
#include "domainfusion/augmentation/candidates/image_budget.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// Each image has the label and the domain of its parent.
class GeneratedDataset final : public DomainDataset {
 public:
  // `raw`: whose classes, domains and parents these are; `store`: where the images lie.
  GeneratedDataset(std::shared_ptr<const DomainDataset> raw, CandidateStore store);

  // `name` is added to the parent's path, `key` names the image in the store.
  void add(const ParentId& parent, const std::string& name, const std::string& key);

  const std::vector<std::string>& class_names() const override { return raw_->class_names(); }
  const std::vector<std::string>& domain_names() const override { return raw_->domain_names(); }
  std::int64_t size(std::int64_t domain) const override;
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override { return entry(domain, index).info; }
  Image image(std::int64_t domain, std::int64_t index) const override { return store_.image(entry(domain, index).key); }

 private:
  struct Entry {
    SampleInfo info;
    std::string key;
  };
  const Entry& entry(std::int64_t domain, std::int64_t index) const;

  std::shared_ptr<const DomainDataset> raw_;
  CandidateStore store_;
  std::vector<std::vector<Entry>> entries_;  // [domain][index]
};

}  // namespace domainfusion
