#include "domainfusion/training/algorithms/with_ldm/synthetic_batches.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/augmentation/styles/style_mixing.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/data/transforms/image_tensor.h"

namespace domainfusion {

void SyntheticBatchesConfig::describe(ConfigFields& fields) {
  fields.real(
      "synthetic_repeats", repeats, {0, 1e6},
      "a synthetic image is drawn at most about so many times as often as a raw one: while the set is small, the "
      "synthetic part of a batch is, and its weight with it; 0: a whole minibatch whatever the set (the paper)");
  fields.choice(
      "shared_styles", shared_styles,
      {{"none", SharedStyles::kNone}, {"synthetic", SharedStyles::kSynthetic}, {"raw", SharedStyles::kRaw}},
      "none: the synthetic part of a batch is synthetic images (the paper); synthetic: raw images, each with "
      "part of a synthetic image's Fourier amplitude; raw: with part of a raw image's, the control, for which "
      "rounds run all the same");
  fields.real("max_style_share", max_style_share, {0, 1},
              "with shared_styles: the share of the new amplitude is drawn for each image, between 0 and this");
}

// Few images, drawn as often as all raw ones together, would be learnt by heart, and half of what batch norm sees.
std::int64_t SyntheticBatchesConfig::size(std::int64_t whole, std::int64_t synthetic, std::int64_t raw) const {
  if (repeats == 0) return whole;
  const double share = repeats * static_cast<double>(synthetic) / static_cast<double>(raw);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(share * static_cast<double>(whole))), 1, whole);
}

at::Tensor restyled(const at::Tensor& image_NCHW, const at::Tensor& style_MCHW, double max_share, RandomStream stream) {
  return normalise(mix_spectra(denormalise(image_NCHW), denormalise(style_MCHW), max_share, std::move(stream)));
}

SyntheticBatches::SyntheticBatches(const SyntheticBatchesConfig& config, const TrainingContext& context,
                                   std::shared_ptr<const SyntheticDataset> images)
    : config_(config), seed_(context.seed), raw_domains_(context.source_in->number_of_domains()) {
  const std::int64_t whole = context.config.loader.batch_size;
  if (config_.shared_styles == SharedStyles::kNone) {
    const std::int64_t size = config_.size(whole, images->total(), context.work_sizes().in_images);
    images_ = context.make_loader(kept_in_memory(std::move(images), context.config.data), "synthetic", size);
    return;
  }
  images_ = context.make_loader(context.source_in, "restyled", whole);
  if (config_.shared_styles == SharedStyles::kSynthetic) {
    styles_ = context.make_loader(kept_in_memory(std::move(images), context.config.data), "styles", whole);
  } else {
    styles_ = context.make_loader(context.source_in, "styles", whole);
  }
}

Batch SyntheticBatches::batch(std::int64_t step, at::Device device) {
  Batch batch = images_->batch(step).on(device);
  if (styles_) {
    batch.image_NCHW = restyled(batch.image_NCHW, styles_->batch(step).image_NCHW, config_.max_style_share,
                                {seed_, "shared styles", {static_cast<std::uint64_t>(step)}});
    return batch;
  }
  batch.domain_N = batch.domain_N + raw_domains_;
  return batch;
}

double SyntheticBatches::weight(std::int64_t synthetic, std::int64_t raw) const {
  return config_.repeats == 0 ? 1 : static_cast<double>(synthetic) / static_cast<double>(raw);
}

}  // namespace domainfusion
