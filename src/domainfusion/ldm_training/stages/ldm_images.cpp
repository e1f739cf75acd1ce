#include "domainfusion/ldm_training/stages/ldm_images.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <numeric>

#include "domainfusion/core/error.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/diffusion/ldm_provenance.h"

namespace domainfusion {

namespace {

at::Tensor bytes_of(const DomainDataset& dataset, std::int64_t domain, const std::vector<std::int64_t>& indices,
                    std::int64_t size_px) {
  return plain_images01(dataset, domain, indices, size_px).mul_(255).round_().to(torch::kUInt8);
}

}  // namespace

LdmImages load_ldm_images(const DomainDataset& dataset, const std::vector<std::string>& domains,
                          std::int64_t trial_seed, std::int64_t size_px) {
  check<ConfigError>(!domains.empty(), "no domain named: an LDM is trained on the source domains, e.g. --domains {}",
                     fmt::join(dataset.domain_names(), ","));
  LdmImages images;
  std::vector<at::Tensor> parts;
  for (const std::int64_t domain : dataset.domain_indices(domains)) {
    // The split's order does not matter to the training; the natural one makes the pictures easy to find.
    std::vector<std::int64_t> in = holdout_split(dataset.size(domain), trial_seed, domain).in;
    std::sort(in.begin(), in.end());
    for (std::int64_t index : in) {
      images.label.push_back(dataset.info(domain, index).label);
      images.domain.push_back(static_cast<std::int64_t>(parts.size()));
      images.hash.push_back(recorded_hash(dataset.file_hash(domain, index)));
    }
    parts.push_back(bytes_of(dataset, domain, in, size_px));
  }
  std::sort(images.hash.begin(), images.hash.end());
  images.image_N3SS = torch::cat(parts);
  return images;
}

void add_all_images(LdmImages& images, const DomainDataset& dataset, const std::vector<std::int64_t>& label_of_class,
                    std::int64_t first_domain, std::int64_t size_px) {
  std::vector<at::Tensor> parts{images.image_N3SS};
  for (std::int64_t domain = 0; domain < dataset.number_of_domains(); ++domain) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(dataset.size(domain)));
    std::iota(all.begin(), all.end(), 0);
    for (const std::int64_t index : all) {
      images.label.push_back(label_of_class.at(static_cast<std::size_t>(dataset.info(domain, index).label)));
      images.domain.push_back(first_domain + domain);
      images.hash.push_back(recorded_hash(dataset.file_hash(domain, index)));
    }
    if (!all.empty()) parts.push_back(bytes_of(dataset, domain, all, size_px));
  }
  std::sort(images.hash.begin(), images.hash.end());
  images.image_N3SS = torch::cat(parts);
}

LdmDraw draw_ldm_images(RandomStream& stream, const LdmImages& images, std::int64_t count) {
  LdmDraw draw{torch::empty({count}, torch::kInt64), torch::empty({count}, torch::kInt64)};
  auto* index = draw.index_N.data_ptr<std::int64_t>();
  auto* mirrored = draw.mirrored_N.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    index[i] = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(images.size())));
    mirrored[i] = static_cast<std::int64_t>(stream.below(2));
  }
  return draw;
}

at::Tensor encode_plain_and_mirrored(const LdmImages& images, std::int64_t batch,
                                     const std::function<at::Tensor(const at::Tensor&)>& encode) {
  torch::NoGradGuard no_grad;
  std::vector<at::Tensor> ways;
  for (bool mirrored : {false, true}) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& part : images.image_N3SS.split(batch)) {
      parts.push_back(encode(mirrored ? part.flip({3}) : part));
    }
    ways.push_back(torch::cat(parts));
  }
  return torch::stack(ways);
}

}  // namespace domainfusion
