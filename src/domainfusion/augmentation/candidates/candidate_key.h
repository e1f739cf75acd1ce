#pragma once
// What decides a generated image, and the name that follows from it.

#include <nlohmann/json.hpp>
#include <string>

#include "domainfusion/diffusion/generation/image_to_image.h"

namespace domainfusion {

// Equal keys mean equal images, up to the rounding of another processor, batch or thread count.
struct CandidateKey {
  std::string source;        // what the candidate starts from: an image (pixel_identity), or latents (hash_of_latents)
  std::string weights_hash;  // of the diffusion model
  nlohmann::json options;    // generation_options()
  std::string prompt;
  nlohmann::json noise;  // what names the noise: seed, copy and so on

  nlohmann::json to_json() const;
  // SHA-256 of to_json() as text, whose keys stand in the order of the alphabet.
  std::string hash() const;
};

// Mode, strength, steps, guidance, sampler (as resolved for the model), negative prompt, image size and type of a
// request to `model`. ConfigError for a sampler that is not there.
nlohmann::json generation_options(const LatentDiffusion& model, const ImageToImageRequest& request);

// SHA-256 of a tensor's type, shape and values.
std::string hash_of_latents(const at::Tensor& z);

}  // namespace domainfusion
