#pragma once
// What a round asks of a diffusion model.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

// All images are float32 [N, 3, S, S] in [0, 1] with S = image_size_px(), on the CPU on both sides; latents stay where
// the model is.
class CandidateGenerator {
 public:
  virtual ~CandidateGenerator() = default;

  virtual std::int64_t image_size_px() const = 0;
  // Of the model: part of a synthetic set's identity.
  virtual LdmIdentity ldm() const = 0;

  // Image-to-image or inversion: the final scaled latents of N candidates, [N, c, h, w]. Candidate i starts from image
  // i, given as encode() returns it, follows prompt i and draws all its noise from stream i, so that the grouping into
  // batches changes nothing but rounding.
  virtual at::Tensor candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                                       std::vector<RandomStream> noise) const = 0;
  // The VAE: scaled posterior mean, and back; decode is differentiable.
  virtual at::Tensor encode(const at::Tensor& image01_N3SS) const = 0;
  virtual at::Tensor decode(const at::Tensor& z_Nchw) const = 0;
};

}  // namespace domainfusion
