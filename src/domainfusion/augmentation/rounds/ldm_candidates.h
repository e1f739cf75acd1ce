#pragma once
// Candidates from a latent diffusion model by image-to-image or inversion.

#include <functional>

#include "domainfusion/augmentation/candidates/candidate_generator.h"
#include "domainfusion/augmentation/rounds/round_config.h"
#include "domainfusion/diffusion/generation/image_to_image.h"

namespace domainfusion {

// Takes mode, strength, steps, guidance, scheduler and negative prompt from the config. An inversion runs under the
// empty prompt.
class LdmCandidates final : public CandidateGenerator {
 public:
  // `config.negative_prompt` is to be checked by the target guard before (CandidatePrompts does). ConfigError for
  // options that cannot work: an unknown scheduler, less than one step.
  LdmCandidates(LatentDiffusion model, const RoundConfig& config);

  std::int64_t image_size_px() const override { return model_.image_size_px(); }
  LdmIdentity ldm() const override { return model_.identity(); }
  at::Tensor candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                               std::vector<RandomStream> noise) const override;
  at::Tensor encode(const at::Tensor& image01_N3SS) const override;
  at::Tensor decode(const at::Tensor& z_Nchw) const override;

 private:
  // What the model gives, in float32 if a smaller type overflows.
  at::Tensor finite(const std::function<at::Tensor(const LatentDiffusion&)>& compute) const;

  std::int64_t pixels() const { return image_size_px() * image_size_px(); }  // of an image

  LatentDiffusion model_;
  ImageToImageRequest request_;  // without images, prompts and noise
};

}  // namespace domainfusion
