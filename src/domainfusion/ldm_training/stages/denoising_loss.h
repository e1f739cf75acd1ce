#pragma once
// What a denoising U-Net is trained by, in pretraining and finetuning alike (Ho et al. 2020, eq. 14, for each kind of
// prediction).

#include <ATen/core/Tensor.h>

#include <functional>

#include "domainfusion/diffusion/noise/noise_schedule.h"

namespace domainfusion {

struct DenoisingBatch {
  at::Tensor z_NChw, noise_NChw;  // scaled latents; standard normal
  at::Tensor t_N;                 // int64, 0 … T-1; on the CPU or beside the latents
};

// The U-Net's prediction under the batch's prompts, of z_t [N, C, h, w] at t [N], both where the latents lie.
using Denoiser = std::function<at::Tensor(const at::Tensor& z_t_NChw, const at::Tensor& t_N)>;

// Mean over all elements of (denoiser(z_t, t) - target)^2; z_t, and the target by prediction_type (noise, velocity or
// z), as `schedule` has them. Scalar float32.
at::Tensor denoising_loss(const Denoiser& denoiser, const NoiseSchedule& schedule, const DenoisingBatch& batch);

// Of the mean over `rows` images, what they add to the mean over the `all` images of the batch, whose others are on
// other ranks. ConfigError for a batch without an image for each rank.
at::Tensor share_of_batch(const at::Tensor& mean, std::int64_t rows, std::int64_t all);

}  // namespace domainfusion
