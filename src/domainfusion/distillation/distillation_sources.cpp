#include "domainfusion/distillation/distillation_sources.h"

#include <torch/types.h>

#include "domainfusion/data/batch.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

LatentTeacher latent_teacher_of(const LatentDiffusion& model) {
  LatentTeacher teacher;
  teacher.encode = [model](const at::Tensor& image01) { return model.encode(image01); };
  teacher.predict_epsilon = [model](const at::Tensor& z_t, const at::Tensor& t_N, const at::Tensor& condition) {
    return model.predict_epsilon(z_t, t_N, condition);
  };
  teacher.embed = [model](const std::vector<std::string>& prompts) { return model.embed(prompts); };
  teacher.alphas_cumprod = model.alphas_cumprod().to(torch::kCPU, torch::kFloat64);
  teacher.image_size_px = model.image_size_px();
  teacher.device = model.placement().device;
  return teacher;
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
  std::string hashes;
  for (const LabelledKey& image : images) hashes += dataset.image_hash(image.key.domain, image.key.index);
  return fmt::format("model {} in {} at {} px, images {}", model.weights_hash(), c10::toString(model.placement().dtype),
                     model.image_size_px(), sha256_hex(hashes));
}

}  // namespace domainfusion
