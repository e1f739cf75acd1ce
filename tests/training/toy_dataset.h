#pragma once
// A small set in memory: class k is a stripe pattern, domain d a tint; noise is a hash of the place.

#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/io/files/content_hash.h"
#include "temporary_folder.h"

namespace domainfusion {

class ToyDataset : public DomainDataset {
 public:
  explicit ToyDataset(std::int64_t images_per_domain = 20) : images_(images_per_domain) {
    for (std::int64_t d = 0; d < 3; ++d) {
      for (std::int64_t i = 0; i < images_; ++i) {
        infos_.push_back({domains_[static_cast<std::size_t>(d)] + "/" + classes_[static_cast<std::size_t>(i % 2)] +
                              "/" + std::to_string(i) + ".png",
                          i % 2, d});
      }
    }
  }
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t) const override { return images_; }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override {
    return infos_[static_cast<std::size_t>(domain * images_ + index)];
  }
  Image image(std::int64_t domain, std::int64_t index) const override {
    if (on_read) on_read(domain);
    return picture(domain, index);
  }
  // As of a file: comparing hashes reads no image.
  std::string file_hash(std::int64_t domain, std::int64_t index) const override {
    return sha256_hex(encode_png(picture(domain, index)));
  }

  // Called with the domain before each read of an image, from any thread.
  std::function<void(std::int64_t)> on_read;

 private:
  static Image picture(std::int64_t domain, std::int64_t index) {
    Image image{16, 16, std::vector<std::uint8_t>(16 * 16 * 3)};
    RandomStream noise(1, "toy", {static_cast<std::uint64_t>(domain), static_cast<std::uint64_t>(index)});
    for (std::int64_t i = 0; i < 16 * 16; ++i) {
      const bool lit = (index % 2 == 0 ? i / 16 : i % 16) / 4 % 2 == 0;
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::uint64_t value = (lit ? 120 : 20) + (c == domain ? 60 : 0) + noise.below(40);
        image.rgb[static_cast<std::size_t>(3 * i + c)] = static_cast<std::uint8_t>(value);
      }
    }
    return image;
  }

  std::int64_t images_;
  std::vector<std::string> classes_{"across", "down"}, domains_{"blue", "green", "red"};
  std::vector<SampleInfo> infos_;
};

}  // namespace domainfusion
