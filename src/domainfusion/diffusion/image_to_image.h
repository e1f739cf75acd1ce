#pragma once
// Image-to-image (SDEdit, Meng et al. 2022; diffusers' StableDiffusionImg2ImgPipeline): noise an image's latents up to a
// strength, then denoise them under a prompt.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "domainfusion/core/random.h"
#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

struct ImageToImageRequest {
  at::Tensor image01_N3HW;           // in [0, 1]; H, W multiples of the VAE's factor
  at::Tensor z0_NChw;                // their scaled latents where the caller has them; then no image is read or encoded
  std::vector<std::string> prompts;  // one per image
  std::string negative_prompt;       // of all images, used where guidance_scale > 1
  double strength = 0.5;             // 0 < strength <= 1: share of the steps that are taken
  std::int64_t steps = 20;           // of the full denoising; steps * strength is rounded down, at least 1
  // e = e_negative + guidance_scale (e_prompt - e_negative), both in one batch; up to 1: e_prompt alone.
  double guidance_scale = 5.0;
  std::string scheduler = "ddim";    // of scheduler_registry()

  // The noise: image i draws from stream i (first the posterior's noise where it is sampled, then the initial noise), so that
  // grouping images into batches changes nothing; or explicit tensors [N, C, h, w], which win.
  std::vector<RandomStream> noise_streams;
  at::Tensor noise_NChw;
  // Differs from diffusers: the posterior's mean, unless sample_posterior (without effect on given z0_NChw).
  bool sample_posterior = false;
  at::Tensor posterior_noise_NChw;

  // Called with the latents after noising and after every step.
  std::function<void(const at::Tensor& z_NChw)> on_latents;
};

// The final scaled latents [N, C, h, w]; no gradient. ConfigError for values out of range, ShapeError for counts or shapes that
// do not fit.
at::Tensor image_to_image_latents(const LatentDiffusion& model, ImageToImageRequest request);

// Their images [N, 3, H, W] in [0, 1].
at::Tensor image_to_image(const LatentDiffusion& model, ImageToImageRequest request);

// Number of U-Net steps that a request takes: min(int(steps * strength), steps).
std::int64_t image_to_image_steps(std::int64_t steps, double strength);

}  // namespace domainfusion
