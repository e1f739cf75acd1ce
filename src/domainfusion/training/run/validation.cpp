#include "domainfusion/training/run/validation.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/distributed/ranks.h"
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
  Ranks* const ranks = current_ranks();
  const std::size_t batches = (indices.size() + kBatch - 1) / kBatch;
  const auto first = static_cast<std::size_t>(ranks != nullptr ? ranks->rank() : 0);
  const auto stride = static_cast<std::size_t>(ranks != nullptr ? ranks->size() : 1);
  at::Tensor losses = torch::zeros({static_cast<std::int64_t>(batches)}, torch::kFloat64);  // added in one order
  for (std::size_t i = first; i < batches; i += stride) {
    const std::size_t begin = i * kBatch;
    const auto part = indices.subspan(begin, std::min(kBatch, indices.size() - begin));
    const Batch batch = evaluation_batch(dataset, domain, part, image_size_px, view);
    const at::Tensor logits_NK = predict(batch.image_NCHW.to(device)).cpu();
    figures.confusion_KK += confusion_matrix(batch.label_N, logits_NK.argmax(1), classes);
    const at::Tensor loss = at::cross_entropy_loss(logits_NK, batch.label_N, {}, at::Reduction::Sum);
    losses[static_cast<std::int64_t>(i)] = loss.item<double>() / static_cast<double>(indices.size());
  }
  if (ranks != nullptr) {
    ranks->sum(figures.confusion_KK);
    ranks->sum(losses);
  }
  for (std::size_t i = 0; i < batches; ++i) figures.mean_loss += losses[static_cast<std::int64_t>(i)].item<double>();
  return figures;
}

}  // namespace domainfusion
