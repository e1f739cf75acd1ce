#pragma once
// What LDM pretraining learns from: the IN images of the named domains, in memory.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

struct LdmImages {
  at::Tensor image_N3SS;             // uint8, plain resized images
  std::vector<std::int64_t> label;   // class index per image
  std::vector<std::int64_t> domain;  // position in the list of named domains
  std::vector<std::string> hash;     // recorded_hash() of the files, sorted (not in the order of the images)

  std::int64_t size() const { return static_cast<std::int64_t>(label.size()); }
};

// Loads the IN split (holdout_split of `trial_seed`) of `domains`, resized to size_px squares. ConfigError for an
// unknown domain or none; errors of unreadable images name the file.
LdmImages load_ldm_images(const DomainDataset& dataset, const std::vector<std::string>& domains,
                          std::int64_t trial_seed, std::int64_t size_px);

// Adds all images of `dataset`, which no classifier is selected on, behind `images`: its classes are label_of_class,
// its domains first_domain and up.
void add_all_images(LdmImages& images, const DomainDataset& dataset, const std::vector<std::int64_t>& label_of_class,
                    std::int64_t first_domain, std::int64_t size_px);

// A minibatch: places in LdmImages, drawn with replacement, and whether each image is mirrored (0 or 1); int64.
struct LdmDraw {
  at::Tensor index_N, mirrored_N;
};
LdmDraw draw_ldm_images(RandomStream& stream, const LdmImages& images, std::int64_t count);

// encode(bytes) of all images, plain and mirrored: [2, N, …]. `encode` maps uint8 [n, 3, S, S], n <= batch, to [n, …];
// no gradient.
at::Tensor encode_plain_and_mirrored(const LdmImages& images, std::int64_t batch,
                                     const std::function<at::Tensor(const at::Tensor& bytes_N3SS)>& encode);

}  // namespace domainfusion
