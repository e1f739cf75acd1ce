#pragma once
// What the loader hands to training and evaluation.

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>

#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// N images with their places in the set; from a loader all on the CPU.
struct Batch {
  at::Tensor image_NCHW;  // float32 [N, 3, S, S], normalised with ImageNet's mean and std
  at::Tensor label_N;     // int64
  at::Tensor domain_N;    // int64
  at::Tensor index_N;     // int64, index inside the domain

  std::int64_t size() const { return label_N.size(0); }
  // With images and labels there; the places stay on the CPU.
  Batch on(at::Device device) const;
};

// What becomes of image `index` before it is a tensor: a picture of the asked size.
using ImageView = std::function<Image(const Image& image, std::int64_t index)>;

// The images in the given order through `view`; without one, not augmented (evaluation_view). Decodes on all ATen
// threads. ConfigError if `indices` is empty; what the dataset throws.
Batch evaluation_batch(const DomainDataset& dataset, std::int64_t domain, std::span<const std::int64_t> indices,
                       std::int64_t image_size_px, const ImageView& view = {});

// float32 [N, 3, S, S] in [0, 1] as a diffusion model wants them: whole images resized with PIL's lanczos filter, as
// diffusers does. Decodes on all ATen threads. Errors as above.
at::Tensor plain_images01(const DomainDataset& dataset, std::int64_t domain, std::span<const std::int64_t> indices,
                          std::int64_t size_px);

// The same for images of several domains, for instance those of a Batch: domain_N and index_N are int64 [N].
at::Tensor plain_images01(const DomainDataset& dataset, const at::Tensor& domain_N, const at::Tensor& index_N,
                          std::int64_t size_px);

}  // namespace domainfusion
