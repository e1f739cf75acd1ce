#pragma once
// Candidates from a latent diffusion model by image-to-image.

#include "domainfusion/augmentation/candidate_generator.h"
#include "domainfusion/augmentation/round_config.h"
#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

// Takes strength, steps, guidance, scheduler and negative prompt from the config.
class LdmCandidates final : public CandidateGenerator {
 public:
  // `config.negative_prompt` is to be checked by the target guard before (CandidatePrompts does). ConfigError for an
  // unknown scheduler, and if strength times steps is less than one step.
  LdmCandidates(LatentDiffusion model, const RoundConfig& config);

  std::int64_t image_size_px() const override { return model_.image_size_px(); }
  std::string weights_hash() const override { return model_.weights_hash(); }
  at::Tensor candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                               std::vector<RandomStream> noise) const override;
  at::Tensor encode(const at::Tensor& image01_N3SS) const override;
  at::Tensor decode(const at::Tensor& z_Nchw) const override;

 private:
  LatentDiffusion model_;
  std::string negative_prompt_, scheduler_;
  double strength_, guidance_scale_;
  std::int64_t steps_;
};

}  // namespace domainfusion
