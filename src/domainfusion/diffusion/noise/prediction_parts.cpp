#include "domainfusion/diffusion/noise/prediction_parts.h"

#include <ATen/ATen.h>

namespace domainfusion {

PredictionParts split_prediction(PredictionType type, const at::Tensor& prediction, const at::Tensor& z, double signal,
                                 double noise) {
  if (type == PredictionType::kEpsilon) return {(z - noise * prediction) / signal, prediction};
  if (type == PredictionType::kVelocity) return {signal * z - noise * prediction, signal * prediction + noise * z};
  return {prediction, (z - signal * prediction) / noise};
}

SampleClipping SampleClipping::read(ModelConfigReader& reader, bool on_by_default) {
  SampleClipping clipping;
  clipping.on = reader.boolean("clip_sample", on_by_default);
  clipping.range = reader.real("clip_sample_range", clipping.range, 0, 1e6);
  return clipping;
}

at::Tensor SampleClipping::operator()(const at::Tensor& z0) const { return on ? z0.clamp(-range, range) : z0; }

void refuse_thresholding(ModelConfigReader& reader) { reader.only("thresholding", {false}); }

}  // namespace domainfusion
