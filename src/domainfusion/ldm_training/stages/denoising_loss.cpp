#include "domainfusion/ldm_training/stages/denoising_loss.h"

#include <torch/types.h>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

at::Tensor target_of(const NoiseSchedule& schedule, const DenoisingBatch& batch) {
  if (schedule.prediction_type() == PredictionType::kEpsilon) return batch.noise_NChw;
  if (schedule.prediction_type() == PredictionType::kSample) return batch.z_NChw;
  return schedule.velocity(batch.z_NChw, batch.noise_NChw, batch.t_N);
}

}  // namespace

at::Tensor share_of_batch(const at::Tensor& mean, std::int64_t rows, std::int64_t all) {
  check<ConfigError>(rows > 0, "a batch of {} images has none for this rank: take fewer ranks, or a larger batch", all);
  return rows == all ? mean : mean * (static_cast<double>(rows) / static_cast<double>(all));
}

at::Tensor denoising_loss(const Denoiser& denoiser, const NoiseSchedule& schedule, const DenoisingBatch& batch) {
  const at::Tensor z_t = schedule.add_noise(batch.z_NChw, batch.noise_NChw, batch.t_N);
  const at::Tensor prediction = denoiser(z_t, batch.t_N.to(z_t.device()));
  return torch::mse_loss(prediction.to(torch::kFloat32), target_of(schedule, batch));
}

}  // namespace domainfusion
