#pragma once
// A part of a set that hides the rest: training code gets no way to the images it must not see.

#include <memory>
#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// Chosen domains, and of each chosen images, numbered anew from 0. Nothing else of `dataset` can be reached through the
// view: not an image, not a name.
class SourceView final : public DomainDataset {
 public:
  struct Part {
    std::int64_t domain = 0;            // in `dataset`
    std::vector<std::int64_t> indices;  // of its images, in the order of the view
  };
  SourceView(std::shared_ptr<const DomainDataset> dataset, std::vector<Part> parts);

  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::vector<std::string>& domain_names() const override { return domain_names_; }
  std::int64_t size(std::int64_t domain) const override;
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override;
  Image image(std::int64_t domain, std::int64_t index) const override;
  std::string file_hash(std::int64_t domain, std::int64_t index) const override;
  std::string pixel_identity(std::int64_t domain, std::int64_t index) const override;

 private:
  std::int64_t original_index(std::int64_t domain, std::int64_t index) const;

  std::shared_ptr<const DomainDataset> dataset_;
  std::vector<Part> parts_;
  std::vector<std::string> domain_names_;
  std::vector<std::vector<SampleInfo>> infos_;
};

}  // namespace domainfusion
