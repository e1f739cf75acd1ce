#pragma once
// Image-to-image whose results are looked at before they are used.

#include "domainfusion/diffusion/generation/image_checks.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/generation/prompt_mixtures.h"

namespace domainfusion {

// image_to_image with its images checked; those that failed are made again with the networks in float32, if those
// compute in a smaller type.
CheckedValues checked_image_to_image(const LatentDiffusion& model, const ImageToImageRequest& request);

// The same for image_to_image_latents.
CheckedValues checked_image_to_image_latents(const LatentDiffusion& model, const ImageToImageRequest& request);

// The same for mixed_images.
CheckedValues checked_mixed_images(const LatentDiffusion& model, const MixtureRequest& request);

}  // namespace domainfusion
