#pragma once
// What a denoising U-Net is trained by, in pretraining and finetuning alike (Ho et al. 2020, eq. 14, for each kind of
// prediction).

#include <ATen/core/Tensor.h>

#include "domainfusion/diffusion/schedulers/noise_schedule.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"

namespace domainfusion {

struct DenoisingBatch {
  at::Tensor z_NChw, noise_NChw;  // scaled latents; standard normal
  at::Tensor t_N;                 // int64, 0 … T-1
  at::Tensor context_NLD;         // text embeddings
};

// Mean over all elements of (U-Net(z_t, t, context) - target)^2; z_t, and the target by prediction_type (noise,
// velocity or z), as `schedule` has them. Scalar float32.
at::Tensor denoising_loss(UNet2dCondition& unet, const NoiseSchedule& schedule, const DenoisingBatch& batch);

}  // namespace domainfusion
