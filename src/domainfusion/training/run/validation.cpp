#include "domainfusion/training/run/validation.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/metrics/classification.h"

namespace domainfusion {
namespace {

constexpr std::size_t kBatch = 64;

}  // namespace

double Figures::accuracy() const { return accuracy_of(confusion_KK); }

Figures evaluate_images(const Predictor& predict, const DomainDataset& dataset, std::int64_t domain,
                        std::span<const std::int64_t> indices, std::int64_t image_size_px, at::Device device,
                        const ImageView& view) {
  check<ConfigError>(!indices.empty(), "domain '{}' has no images to evaluate",
                     dataset.domain_names().at(static_cast<std::size_t>(domain)));
  torch::NoGradGuard no_grad;
  const std::int64_t classes = dataset.number_of_classes();
  Figures figures{torch::zeros({classes, classes}, torch::kInt64)};
  for (std::size_t begin = 0; begin < indices.size(); begin += kBatch) {
    const auto part = indices.subspan(begin, std::min(kBatch, indices.size() - begin));
    const Batch batch = evaluation_batch(dataset, domain, part, image_size_px, view);
    const at::Tensor logits_NK = predict(batch.image_NCHW.to(device)).cpu();
    figures.confusion_KK += confusion_matrix(batch.label_N, logits_NK.argmax(1), classes);
    const at::Tensor loss = at::cross_entropy_loss(logits_NK, batch.label_N, {}, at::Reduction::Sum);
    figures.mean_loss += loss.item<double>() / static_cast<double>(indices.size());
  }
  return figures;
}

}  // namespace domainfusion
