#pragma once
// A set in memory whose images are functions of their place, and the same set as a folder of PNG files.

#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

// `height` x `width` pixels of smooth colours with some texture; differs for every `seed`.
inline Image made_image(int height, int width, int seed) {
  Image image{height, width, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.push_back(static_cast<std::uint8_t>(4 * x + 31 * seed));
      image.rgb.push_back(static_cast<std::uint8_t>(5 * y + 17 * seed));
      image.rgb.push_back(static_cast<std::uint8_t>((x * y + 7 * seed) % 251));
    }
  }
  return image;
}

// Domains "a", "b", …, classes "cat", "dog"; image i of a domain has label i % 2. Images whose index is `broken` throw.
class MadeDataset final : public DomainDataset {
 public:
  explicit MadeDataset(std::vector<std::int64_t> sizes, std::int64_t broken = -1) : broken_(broken) {
    for (std::size_t d = 0; d < sizes.size(); ++d) {
      domains_.push_back(std::string(1, static_cast<char>('a' + d)));
      auto& infos = infos_.emplace_back();
      for (std::int64_t i = 0; i < sizes[d]; ++i) {
        infos.push_back(
            {fmt::format("{}/{}/{}.png", domains_[d], classes_[i % 2], i), i % 2, static_cast<std::int64_t>(d)});
      }
    }
  }
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t domain) const override { return static_cast<std::int64_t>(infos_.at(domain).size()); }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override { return infos_.at(domain).at(index); }
  Image image(std::int64_t domain, std::int64_t index) const override {
    check<FormatError>(index != broken_, "{}: broken on purpose", info(domain, index).path);
    return made_image(20 + static_cast<int>(index % 5), 24, static_cast<int>(100 * domain + index));
  }

 private:
  std::vector<std::string> classes_{"cat", "dog"}, domains_;
  std::vector<std::vector<SampleInfo>> infos_;
  std::int64_t broken_;
};

inline void write_as_folder(const DomainDataset& dataset, const std::filesystem::path& root) {
  for (std::int64_t d = 0; d < dataset.number_of_domains(); ++d) {
    for (std::int64_t i = 0; i < dataset.size(d); ++i) {
      const auto path = root / dataset.info(d, i).path;
      std::filesystem::create_directories(path.parent_path());
      write_png(path, dataset.image(d, i));
    }
  }
}

}  // namespace domainfusion
