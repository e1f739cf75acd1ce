#include "domainfusion/augmentation/ldm_candidates.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "domainfusion/diffusion/image_to_image.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

LdmCandidates::LdmCandidates(LatentDiffusion model, const RoundConfig& config)
    : model_(std::move(model)),
      negative_prompt_(config.negative_prompt),
      scheduler_(config.scheduler),
      strength_(config.strength),
      guidance_scale_(config.guidance_scale),
      steps_(config.steps) {
  scheduler_registry().at(scheduler_);
  check<ConfigError>(image_to_image_steps(steps_, strength_) >= 1,
                     "augmentation: strength {} of {} steps is less than one step; "
                     "raise one of them",
                     strength_, steps_);
}

at::Tensor LdmCandidates::candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                                            std::vector<RandomStream> noise) const {
  const c10::NoGradGuard no_grad;
  ImageToImageRequest request;
  request.z0_NChw = z_Nchw;
  request.prompts = prompts;
  request.negative_prompt = negative_prompt_;
  request.strength = strength_;
  request.steps = steps_;
  request.guidance_scale = guidance_scale_;
  request.scheduler = scheduler_;
  request.noise_streams = std::move(noise);
  return image_to_image_latents(model_, std::move(request));
}

at::Tensor LdmCandidates::encode(const at::Tensor& image01_N3SS) const {
  const c10::NoGradGuard no_grad;
  return model_.encode(image01_N3SS);
}

at::Tensor LdmCandidates::decode(const at::Tensor& z_Nchw) const {
  const c10::NoGradGuard no_grad;
  return model_.decode(z_Nchw).to(at::kCPU, at::kFloat);
}

}  // namespace domainfusion
