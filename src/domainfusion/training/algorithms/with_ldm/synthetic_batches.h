#pragma once
// What the images that rounds made are in a training step: a minibatch of themselves (the paper), fewer of them, or
// styles of raw images (both ours, for budgets of few images).

#include <memory>

#include "domainfusion/augmentation/rounds/synthetic_dataset.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/training/algorithm.h"

namespace domainfusion {

// Whose styles raw images take: those of images that rounds made or, as a control, of raw images.
enum class SharedStyles { kNone, kSynthetic, kRaw };

struct SyntheticBatchesConfig {
  double repeats = 0;
  SharedStyles shared_styles = SharedStyles::kNone;
  double max_style_share = 1;

  void describe(ConfigFields& fields);
  // Images of each source domain in a step, where a set of `synthetic` images stands beside `raw` source images and a
  // whole minibatch is `whole`.
  std::int64_t size(std::int64_t whole, std::int64_t synthetic, std::int64_t raw) const;
};

// Normalised images with part of the style of a drawn one of the normalised style images: mix_spectra of their pixels.
// For pixels it must be: the spectrum of a normalised image has a zero frequency of either sign, which an amplitude
// drops.
at::Tensor restyled(const at::Tensor& image_NCHW, const at::Tensor& style_MCHW, double max_share, RandomStream stream);

// The synthetic part of the batches between two rounds.
class SyntheticBatches {
 public:
  // `images`: not empty.
  SyntheticBatches(const SyntheticBatchesConfig& config, const TrainingContext& context,
                   std::shared_ptr<const SyntheticDataset> images);

  // On `device`. domain_N and index_N name raw images where these take styles, else synthetic ones, whose domains are
  // counted on from the raw set's.
  Batch batch(std::int64_t step, at::Device device);
  // What the mean loss of `synthetic` images beside `raw` ones is weighed with.
  double weight(std::int64_t synthetic, std::int64_t raw) const;

 private:
  SyntheticBatchesConfig config_;
  std::uint64_t seed_;
  std::int64_t raw_domains_;
  std::unique_ptr<BatchLoader> images_;
  std::unique_ptr<BatchLoader> styles_;  // with shared styles
};

}  // namespace domainfusion
