#pragma once
// Two sets as one: in each domain the images of the first, then those of the second.

#include "domainfusion/data/sets/wrapped_dataset.h"

namespace domainfusion {

class JoinedDataset final : public WrappedDataset {
 public:
  // ConfigError unless both have the same classes and domains.
  JoinedDataset(std::shared_ptr<const DomainDataset> first, std::shared_ptr<const DomainDataset> second);

  std::int64_t size(std::int64_t domain) const override { return inner().size(domain) + second_->size(domain); }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override;
  Image image(std::int64_t domain, std::int64_t index) const override;
  std::string file_hash(std::int64_t domain, std::int64_t index) const override;
  std::string pixel_identity(std::int64_t domain, std::int64_t index) const override;

 private:
  std::shared_ptr<const DomainDataset> second_;
};

}  // namespace domainfusion
