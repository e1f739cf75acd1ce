#pragma once
// What a diffusion model's parts take on this machine.

#include <functional>

#include "domainfusion/diffusion/image_to_image.h"

namespace domainfusion {

// Seconds of `action`, the second time it runs: the first one pays for memory and code that later ones find ready.
double seconds_of(const std::function<void()>& action);

struct GenerationTimes {
  double unet_seconds = 0;  // a pass for one image
  double vae_seconds = 0;   // its decoder for one image; the encoder takes about as long

  // One image by `request`, encoded and decoded.
  double image_seconds(const LatentDiffusion& model, const ImageToImageRequest& request) const;
};

// At the model's full shape; small images several at a time.
GenerationTimes measure_generation(const LatentDiffusion& model);

}  // namespace domainfusion
