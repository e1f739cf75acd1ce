#include "domainfusion/data/sets/relabelled_dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/data/sets/known_datasets.h"

namespace domainfusion {
namespace {

// The place of `name` among `known`; -1 if it is none of them.
std::int64_t matching_class(const std::string& name, const std::vector<std::string>& known) {
  auto place = std::find(known.begin(), known.end(), name);
  if (place == known.end())
    place = std::find_if(known.begin(), known.end(), [&](const std::string& one) { return is_same_name(one, name); });
  return place == known.end() ? -1 : place - known.begin();
}

}  // namespace

RelabelledDataset::RelabelledDataset(std::shared_ptr<const DomainDataset> dataset, std::vector<std::string> class_names)
    : dataset_(std::move(dataset)), class_names_(std::move(class_names)) {
  std::vector<std::int64_t> label_of;
  for (const std::string& name : dataset_->class_names()) label_of.push_back(matching_class(name, class_names_));
  check<ConfigError>(std::any_of(label_of.begin(), label_of.end(), [](std::int64_t label) { return label >= 0; }),
                     "none of its classes ({}) is one of the model's ({}): choose a set with the same class folders",
                     fmt::join(dataset_->class_names(), ", "), fmt::join(class_names_, ", "));
  for (std::int64_t d = 0; d < dataset_->number_of_domains(); ++d) {
    auto& samples = samples_.emplace_back();
    auto& places = places_.emplace_back();
    for (std::int64_t i = 0; i < dataset_->size(d); ++i) {
      SampleInfo sample = dataset_->info(d, i);
      const auto original = static_cast<std::size_t>(sample.label);
      sample.label = label_of[original];
      if (sample.label < 0) {
        ++left_out_[dataset_->class_names()[original]];
        continue;
      }
      samples.push_back(std::move(sample));
      places.push_back(i);
    }
  }
}

std::int64_t RelabelledDataset::place_of(std::int64_t domain, std::int64_t index) const {
  return places_.at(static_cast<std::size_t>(domain)).at(static_cast<std::size_t>(index));
}

std::int64_t RelabelledDataset::size(std::int64_t domain) const {
  return static_cast<std::int64_t>(samples_.at(static_cast<std::size_t>(domain)).size());
}

const SampleInfo& RelabelledDataset::info(std::int64_t domain, std::int64_t index) const {
  return samples_.at(static_cast<std::size_t>(domain)).at(static_cast<std::size_t>(index));
}

Image RelabelledDataset::image(std::int64_t domain, std::int64_t index) const {
  return dataset_->image(domain, place_of(domain, index));
}

std::string RelabelledDataset::file_hash(std::int64_t domain, std::int64_t index) const {
  return dataset_->file_hash(domain, place_of(domain, index));
}

std::string RelabelledDataset::pixel_identity(std::int64_t domain, std::int64_t index) const {
  return dataset_->pixel_identity(domain, place_of(domain, index));
}

std::vector<std::string> RelabelledDataset::absent_classes() const {
  std::vector<bool> present(class_names_.size());
  for (const auto& samples : samples_) {
    for (const SampleInfo& sample : samples) present[static_cast<std::size_t>(sample.label)] = true;
  }
  std::vector<std::string> absent;
  for (std::size_t c = 0; c < present.size(); ++c) {
    if (!present[c]) absent.push_back(class_names_[c]);
  }
  return absent;
}

}  // namespace domainfusion
