#pragma once
// What a diffusion model's parts take on this machine: time and memory.

#include <functional>

#include "domainfusion/diffusion/generation/image_to_image.h"

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

// Resident MiB that each further image of a batch adds while a part works, beside its weights.
struct GenerationMemory {
  double unet_mib = 0;
  double vae_mib = 0;  // the decoder
};

// From the peaks of small batches, whose images' count the memory follows. Loads the parts; resets the process's peak.
GenerationMemory measure_generation_memory(const LatentDiffusion& model);

}  // namespace domainfusion
