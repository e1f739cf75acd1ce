#pragma once
// Image-to-image: carry an image's latents to a noise level, by random noise (SDEdit, Meng et al. 2022; diffusers'
// StableDiffusionImg2ImgPipeline) or by DDIM inversion, then denoise them under a prompt.

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/diffusion/generation/denoising.h"
#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

// How the latents get to the noise level that denoising starts from.
enum class GenerationMode { kImageToImage, kInversion };

// Their words in configs: "img2img", "inversion".
std::vector<std::pair<std::string, GenerationMode>> generation_modes();

struct ImageToImageRequest {
  at::Tensor image01_N3HW;           // in [0, 1]; H, W multiples of the VAE's factor
  at::Tensor z0_NChw;                // their scaled latents where the caller has them; then no image is read or encoded
  std::vector<std::string> prompts;  // one per image
  std::string negative_prompt;       // of all images, used where guidance_scale > 1
  // 0 … 1: share of the steps that are taken. 0 is the VAE's round trip: no noise, no step. Inversion goes as far as it
  // will come back; 1 is the whole way.
  double strength = 0.5;
  std::int64_t steps = 20;  // of the full denoising; steps * strength is rounded down, at least 1 unless strength is 0
  // e = e_negative + guidance_scale (e_prompt - e_negative), both in one batch; up to 1: e_prompt alone.
  double guidance_scale = 5.0;
  // See make_scheduler. Inversion knows ddim alone, which "auto" means there.
  std::string scheduler = "ddim";
  double eta = 0;  // of ddim: 0 deterministic … 1 as much noise as ddpm; other schedulers pass it over

  GenerationMode mode = GenerationMode::kImageToImage;
  // What the images show before, one per image: inversion runs under it, with guidance 1. None: the empty prompt for
  // all.
  std::vector<std::string> inversion_prompts;

  // The noise: image i draws from stream i (first the posterior's noise where it is sampled, then the initial noise,
  // then that of stochastic steps), so that grouping images into batches changes nothing; or explicit tensors [N, C, h,
  // w], which win.
  std::vector<RandomStream> noise_streams;
  at::Tensor noise_NChw;
  // Differs from diffusers: the posterior's mean, unless sample_posterior (without effect on given z0_NChw).
  bool sample_posterior = false;
  at::Tensor posterior_noise_NChw;

  LatentsHook on_inverted;  // sees the latents after every step of the inversion
  LatentsHook on_latents;   // sees the latents that denoising starts from, and those after every step
};

// The final scaled latents [N, C, h, w]; no gradient. ConfigError for values out of range and for a strength of less
// than one step, ShapeError for counts or shapes that do not fit.
at::Tensor image_to_image_latents(const LatentDiffusion& model, ImageToImageRequest request);

// Their images [N, 3, H, W] in [0, 1].
at::Tensor image_to_image(const LatentDiffusion& model, ImageToImageRequest request);

// The scheduler of a request, ready for its first step.
struct PreparedScheduler {
  std::unique_ptr<Scheduler> scheduler;
  std::size_t start = 0;  // index of the first step; the number of timesteps if strength is 0
};

// ConfigError for options of the request (scheduler, mode, eta, steps, strength, guidance_scale) that cannot work with
// a model of this scheduler_config.json.
PreparedScheduler prepare_scheduler(const nlohmann::json& scheduler_config, const ImageToImageRequest& request);

// Rows of the U-Net's batch that one image takes: with guidance both halves go together.
inline std::int64_t rows_per_image(double guidance_scale) { return guidance_scale > 1 ? 2 : 1; }

// U-Net passes that an image takes, an inversion's and guidance's included.
std::int64_t unet_passes(const nlohmann::json& scheduler_config, const ImageToImageRequest& request);

}  // namespace domainfusion
