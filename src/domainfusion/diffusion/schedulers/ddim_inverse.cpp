#include "domainfusion/diffusion/schedulers/ddim_inverse.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace domainfusion {

DdimInverseScheduler::DdimInverseScheduler(const nlohmann::json& scheduler_config) : schedule_(scheduler_config) {
  ModelConfigReader reader(scheduler_config, "scheduler_config.json (ddim_inverse)");
  clipping_ = SampleClipping::read(reader, true);
  set_alpha_to_one_ = reader.boolean("set_alpha_to_one", true);
  steps_offset_ = reader.integer("steps_offset", 0, 0, 1000);
  spacing_ = timestep_spacing_of(reader, TimestepSpacing::kLeading);
  if (spacing_ == TimestepSpacing::kLinspace) reader.refuse("timestep_spacing", "\"leading\" or \"trailing\"");
}

void DdimInverseScheduler::set_timesteps(std::int64_t steps) {
  timesteps_ = spaced_timesteps(spacing_, schedule_.train_timesteps(), steps, steps_offset_);
  std::reverse(timesteps_.begin(), timesteps_.end());
  steps_ = steps;
}

std::int64_t DdimInverseScheduler::timestep(std::size_t index) const {
  return static_cast<std::int64_t>(timestep_at(timesteps_, index));
}

double DdimInverseScheduler::alpha_before(std::size_t index) const {
  const std::int64_t before = timestep(index) - schedule_.train_timesteps() / steps_;
  if (before >= 0) return schedule_.alpha_cumprod(before);
  // Differs from diffusers, which divides by 0: a prediction of the sample tells the noise only where there is some.
  const bool is_clean = set_alpha_to_one_ && schedule_.prediction_type() != PredictionType::kSample;
  return is_clean ? 1.0 : schedule_.alpha_cumprod(0);
}

SchedulerStep DdimInverseScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                         const at::Tensor& /*noise*/) {
  const double before = alpha_before(index), after = schedule_.alpha_cumprod(timestep(index));
  const PredictionParts parts =
      split_prediction(schedule_.prediction_type(), prediction, sample, std::sqrt(before), std::sqrt(1 - before));
  const at::Tensor z0 = clipping_(parts.z0);
  return {std::sqrt(after) * z0 + std::sqrt(1 - after) * parts.epsilon, z0};
}

at::Tensor DdimInverseScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  return schedule_.add_noise(z0, noise, timestep(index));
}

}  // namespace domainfusion
