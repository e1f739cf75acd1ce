#pragma once
// What a model's prediction says about the clean latents and about the noise in z = signal z0 + noise epsilon.

#include <ATen/core/Tensor.h>

#include "domainfusion/config/model_config.h"
#include "domainfusion/diffusion/noise/noise_schedule.h"

namespace domainfusion {

struct PredictionParts {
  at::Tensor z0, epsilon;
};

// signal = sqrt(abar_t), noise = sqrt(1 - abar_t). Not finite where the prediction cannot be converted: epsilon at
// signal 0, sample at noise 0.
PredictionParts split_prediction(PredictionType type, const at::Tensor& prediction, const at::Tensor& z, double signal,
                                 double noise);

// The fields clip_sample and clip_sample_range: predicted clean latents are clamped to +-range.
struct SampleClipping {
  bool on = true;
  double range = 1;

  static SampleClipping read(ModelConfigReader& reader, bool on_by_default);
  at::Tensor operator()(const at::Tensor& z0) const;
};

// ConfigError for thresholding = true: dynamic thresholding belongs to models whose samples are pixels.
void refuse_thresholding(ModelConfigReader& reader);

}  // namespace domainfusion
