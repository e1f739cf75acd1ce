#pragma once
// The denoising loop that image-to-image and inversion share.

#include <ATen/core/Tensor.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// The U-Net's prediction under classifier-free guidance (Ho and Salimans 2022): e_negative + scale (e_prompt -
// e_negative), both in one batch; with a scale up to 1, and for models that embed the scale, e_prompt alone.
class GuidedPrediction {
 public:
  // prompts: one per image; negative_prompt: of all. `model` outlives the object.
  GuidedPrediction(const LatentDiffusion& model, const std::vector<std::string>& prompts,
                   const std::string& negative_prompt, double guidance_scale);

  at::Tensor operator()(const at::Tensor& z_NChw, double timestep) const;

 private:
  const LatentDiffusion& model_;
  double scale_;
  bool guided_;
  at::Tensor condition_;
};

using Prediction = std::function<at::Tensor(const at::Tensor& z_NChw, double timestep)>;
using LatentsHook = std::function<void(const at::Tensor& z_NChw)>;

// Takes the scheduler's steps from `start` to the last, or to the one before `end`, and returns the latents after it.
// Image i draws the noise of stochastic steps from stream i, so that grouping images into batches changes nothing.
// on_latents, if any, sees the latents after each step.
at::Tensor take_steps(Scheduler& scheduler, std::size_t start, const Prediction& predict, at::Tensor z_NChw,
                      std::vector<RandomStream>& streams, const LatentsHook& on_latents = {},
                      std::size_t end = std::numeric_limits<std::size_t>::max());

// Whether one of the steps from `start` on adds noise.
bool adds_noise(const Scheduler& scheduler, std::size_t start);

// Standard normal, shaped and typed as z_NChw; image i from stream i. ShapeError unless there is one stream per image.
at::Tensor noise_from(std::vector<RandomStream>& streams, const at::Tensor& z_NChw);

}  // namespace domainfusion
