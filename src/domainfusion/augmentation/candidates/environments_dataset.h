#pragma once
// The source domains, and behind them further ones of images that lie in a candidate store.

#include "domainfusion/augmentation/candidates/candidate_store.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

struct StoredImage {
  SampleInfo info;  // its domain is set by the set that it joins
  std::string key;  // in the store
};

struct GeneratedEnvironment {
  std::string name;  // of the domain
  std::vector<StoredImage> images;
};

class EnvironmentsDataset final : public DomainDataset {
 public:
  // Environment k becomes domain sources + k.
  EnvironmentsDataset(std::shared_ptr<const DomainDataset> sources, CandidateStore store,
                      std::vector<GeneratedEnvironment> environments);

  const std::vector<std::string>& class_names() const override { return sources_->class_names(); }
  const std::vector<std::string>& domain_names() const override { return names_; }
  std::int64_t size(std::int64_t domain) const override;
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override;
  Image image(std::int64_t domain, std::int64_t index) const override;
  std::string file_hash(std::int64_t domain, std::int64_t index) const override;
  std::string pixel_identity(std::int64_t domain, std::int64_t index) const override;

 private:
  bool is_source(std::int64_t domain) const { return domain < sources_->number_of_domains(); }
  const std::vector<StoredImage>& images_of(std::int64_t domain) const;
  const StoredImage& stored(std::int64_t domain, std::int64_t index) const;

  std::shared_ptr<const DomainDataset> sources_;
  CandidateStore store_;
  std::vector<std::string> names_;
  std::vector<GeneratedEnvironment> environments_;
};

}  // namespace domainfusion
