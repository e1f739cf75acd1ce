#pragma once
// Another set's images under the classes that a model knows.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// Classes are matched by name; where none is equal, case, '_', '-' and spaces do not count. Images of other classes are
// no part of it, so an index is not that of the set behind it.
class RelabelledDataset final : public DomainDataset {
 public:
  // ConfigError if no class of `dataset` is among `class_names`.
  RelabelledDataset(std::shared_ptr<const DomainDataset> dataset, std::vector<std::string> class_names);

  const std::vector<std::string>& class_names() const override { return class_names_; }
  const std::vector<std::string>& domain_names() const override { return dataset_->domain_names(); }
  std::int64_t size(std::int64_t domain) const override;
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override;
  Image image(std::int64_t domain, std::int64_t index) const override;
  std::string file_hash(std::int64_t domain, std::int64_t index) const override;
  std::string pixel_identity(std::int64_t domain, std::int64_t index) const override;

  // Classes of which the set has no image.
  std::vector<std::string> absent_classes() const;
  // Images that are left out, by their class.
  const std::map<std::string, std::int64_t>& left_out() const { return left_out_; }

 private:
  std::int64_t place_of(std::int64_t domain, std::int64_t index) const;

  std::shared_ptr<const DomainDataset> dataset_;
  std::vector<std::string> class_names_;
  std::vector<std::vector<SampleInfo>> samples_;   // [domain][index]
  std::vector<std::vector<std::int64_t>> places_;  // [domain][index] -> index in dataset_
  std::map<std::string, std::int64_t> left_out_;
};

}  // namespace domainfusion
