#pragma once
// A classifier's answers on chosen images.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <span>

#include "domainfusion/data/batch.h"

namespace domainfusion {

// image_NCHW, normalised -> logits_NK.
using Predictor = std::function<at::Tensor(const at::Tensor&)>;

struct Figures {
  at::Tensor confusion_KK;  // int64, rows the true class
  double mean_loss = 0;     // cross-entropy
  double accuracy() const;
};

// Images, through `view` where one is given, in batches of 64, whatever the number of threads; no gradients are kept.
// Ranks share out the batches, and all of them return the figures that one would. ConfigError if `indices` is empty.
Figures evaluate_images(const Predictor& predict, const DomainDataset& dataset, std::int64_t domain,
                        std::span<const std::int64_t> indices, std::int64_t image_size_px, at::Device device,
                        const ImageView& view = {});

}  // namespace domainfusion
