#include "domainfusion/distillation/distillation_sources.h"

#include <torch/types.h>

#include "domainfusion/data/batch.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

LdmFunctions ldm_functions_of(const LatentDiffusion& model) {
  LdmFunctions ldm;
  ldm.encode = [model](const at::Tensor& image01) { return model.encode(image01); };
  ldm.predict_epsilon = [model](const at::Tensor& z_t, const at::Tensor& t_N, const at::Tensor& condition) {
    return model.predict_epsilon(z_t, t_N, condition);
  };
  ldm.embed = [model](const std::vector<std::string>& prompts) {
    model.tokenizer().check_told_apart(prompts);
    // The empty prompt is what guidance leads away from.
    if (prompts == std::vector<std::string>{""}) return model.embed_negative("");
    return model.embed(prompts);
  };
  ldm.alphas_cumprod = model.alphas_cumprod().to(torch::kCPU, torch::kFloat64);
  ldm.image_size_px = model.image_size_px();
  ldm.device = model.placement().device;
  return ldm;
}

ImageSource plain_image_source(std::shared_ptr<const DomainDataset> dataset, std::int64_t size_px) {
  return [dataset = std::move(dataset), size_px](const std::vector<ImageKey>& keys) {
    std::vector<std::int64_t> domain, index;
    for (const ImageKey& key : keys) {
      domain.push_back(key.domain);
      index.push_back(key.index);
    }
    return plain_images01(*dataset, torch::tensor(domain, torch::kInt64), torch::tensor(index, torch::kInt64), size_px);
  };
}

std::vector<LabelledKey> labelled_keys(const DomainDataset& dataset, const std::vector<DomainSelection>& selections) {
  std::vector<LabelledKey> keys;
  for (const DomainSelection& selection : selections) {
    for (std::int64_t index : selection.indices) {
      keys.push_back({{selection.domain, index}, dataset.info(selection.domain, index).label});
    }
  }
  return keys;
}

std::string curve_identity(const LatentDiffusion& model, const DomainDataset& dataset,
                           const std::vector<LabelledKey>& images) {
  std::string identities;
  for (const LabelledKey& image : images) identities += dataset.pixel_identity(image.key.domain, image.key.index);
  const auto& [weights_hash, size_px, dtype] = model.identity();
  return fmt::format("model {} in {} at {} px, images {}", weights_hash, dtype, size_px, sha256_hex(identities));
}

}  // namespace domainfusion
