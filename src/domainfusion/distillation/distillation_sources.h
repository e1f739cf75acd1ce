#pragma once
// What distillation takes from a loaded model and from a data set.

#include <memory>
#include <string>
#include <vector>

#include "domainfusion/data/batch_loader.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/distillation/ldm_functions.h"

namespace domainfusion {

// The functions of `model`, which shares its networks with the result.
LdmFunctions ldm_functions_of(const LatentDiffusion& model);

// Whole images of `dataset`, resized to size_px x size_px (plain_images01).
ImageSource plain_image_source(std::shared_ptr<const DomainDataset> dataset, std::int64_t size_px);

// All images of the selections with their labels, in order.
std::vector<LabelledKey> labelled_keys(const DomainDataset& dataset, const std::vector<DomainSelection>& selections);

// Text that changes whenever the latent curves of `images` would: the model's identity, and one hash over the pixel
// identities of the images, in order. Reads every image file once.
std::string curve_identity(const LatentDiffusion& model, const DomainDataset& dataset,
                           const std::vector<LabelledKey>& images);

}  // namespace domainfusion
