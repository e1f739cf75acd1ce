#pragma once
// A small set in memory and a stand-in for the diffusion model, so that rounds can be tested in milliseconds.

#include <ATen/ATen.h>

#include <functional>
#include <map>

#include "domainfusion/augmentation/candidates/candidate_generator.h"
#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// `counts[domain][label]` images of 12 x 12 px: random colour squares.
class TinySet final : public DomainDataset {
 public:
  explicit TinySet(std::vector<std::vector<int>> counts) : entries_(counts.size()) {
    for (std::size_t domain = 0; domain < counts.size(); ++domain) {
      domains_.push_back("domain" + std::to_string(domain));
      for (std::size_t label = 0; label < counts[domain].size(); ++label) {
        if (domain == 0) classes_.push_back("class" + std::to_string(label));
        for (int i = 0; i < counts[domain][label]; ++i) {
          const auto path = domains_[domain] + "/class" + std::to_string(label) + "/" + std::to_string(i) + ".jpg";
          entries_[domain].push_back({path, static_cast<std::int64_t>(label), static_cast<std::int64_t>(domain)});
        }
      }
    }
  }
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t domain) const override {
    return static_cast<std::int64_t>(entries_.at(domain).size());
  }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override {
    return entries_.at(domain).at(index);
  }
  Image image(std::int64_t domain, std::int64_t index) const override {
    Image image{12, 12, std::vector<std::uint8_t>(12 * 12 * 3)};
    RandomStream stream(5, "tiny set", {static_cast<std::uint64_t>(domain), static_cast<std::uint64_t>(index)});
    for (int block = 0; block < 9; ++block) {
      for (int channel = 0; channel < 3; ++channel) {
        const auto value = static_cast<std::uint8_t>(stream.below(256));
        for (int pixel = 0; pixel < 16; ++pixel) {
          const int y = block / 3 * 4 + pixel / 4, x = block % 3 * 4 + pixel % 4;
          image.rgb[static_cast<std::size_t>((y * 12 + x) * 3 + channel)] = value;
        }
      }
    }
    return image;
  }
  // All images of every domain.
  std::vector<DomainSelection> everything() const {
    std::vector<DomainSelection> list;
    for (std::int64_t domain = 0; domain < number_of_domains(); ++domain) {
      DomainSelection selection{domain, {}};
      for (std::int64_t i = 0; i < size(domain); ++i) selection.indices.push_back(i);
      list.push_back(selection);
    }
    return list;
  }

 private:
  std::vector<std::string> classes_, domains_;
  std::vector<std::vector<SampleInfo>> entries_;
};

// Latents: 2 x 2 means of the pixels, [N, 3, 6, 6]. Candidates: those of x plus seeded noise; chosen calls are spoilt.
class TinyGenerator final : public CandidateGenerator {
 public:
  std::int64_t image_size_px() const override { return 12; }
  LdmIdentity ldm() const override { return {hash, 12, dtype}; }
  at::Tensor candidate_latents(const at::Tensor& z_x, const std::vector<std::string>& prompts,
                               std::vector<RandomStream> noise) const override {
    const at::Tensor z = z_x.clone();
    for (std::size_t i = 0; i < noise.size(); ++i) {
      at::Tensor latent = z[static_cast<std::int64_t>(i)];
      latent.add_(normal_tensor(noise[i], latent.sizes()), change);
      if (spoil) spoil(made, latent);
      ++made;
      seen_prompts.push_back(prompts.at(i));
    }
    return z;
  }
  at::Tensor encode(const at::Tensor& image01) const override { return at::avg_pool2d(image01, {2, 2}) * 2 - 1; }
  at::Tensor decode(const at::Tensor& z) const override {
    return ((z + 1) / 2 * kept_light).repeat_interleave(2, 2).repeat_interleave(2, 3).clamp(0, 1);
  }

  std::string hash = "tiny", dtype = "float32";
  double change = 0.3;    // standard deviation of what makes a candidate differ
  double kept_light = 1;  // what decoding leaves of it
  std::function<void(std::int64_t call, at::Tensor& latent)> spoil;
  mutable std::int64_t made = 0;
  mutable std::vector<std::string> seen_prompts;
};

}  // namespace domainfusion
