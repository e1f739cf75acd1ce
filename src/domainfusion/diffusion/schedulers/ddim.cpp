#include "domainfusion/diffusion/schedulers/ddim.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace domainfusion {

DdimConfig DdimConfig::from_json(const nlohmann::json& object) {
  ModelConfigReader reader(object, "scheduler_config.json (ddim)");
  DdimConfig c;
  c.clipping = SampleClipping::read(reader, true);
  c.set_alpha_to_one = reader.boolean("set_alpha_to_one", c.set_alpha_to_one);
  c.steps_offset = reader.integer("steps_offset", c.steps_offset, 0, 1000);
  c.timestep_spacing = timestep_spacing_of(reader, c.timestep_spacing);
  c.eta = reader.real("eta", c.eta, 0, 1);
  refuse_thresholding(reader);
  return c;
}

DdimScheduler::DdimScheduler(const nlohmann::json& scheduler_config)
    : schedule_(scheduler_config), config_(DdimConfig::from_json(scheduler_config)) {}

void DdimScheduler::set_timesteps(std::int64_t steps) {
  timesteps_ = spaced_timesteps(config_.timestep_spacing, schedule_.train_timesteps(), steps, config_.steps_offset);
  steps_ = steps;
}

std::int64_t DdimScheduler::timestep(std::size_t index) const {
  return static_cast<std::int64_t>(timestep_at(timesteps_, index));
}

double DdimScheduler::alpha_after(std::size_t index) const {
  const std::int64_t next = timestep(index) - schedule_.train_timesteps() / steps_;
  if (next >= 0) return schedule_.alpha_cumprod(next);
  return config_.set_alpha_to_one ? 1.0 : schedule_.alpha_cumprod(0);
}

SchedulerStep DdimScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                  const at::Tensor& noise) {
  const double alpha = schedule_.alpha_cumprod(timestep(index)), after = alpha_after(index);
  const PredictionParts parts =
      split_prediction(schedule_.prediction_type(), prediction, sample, std::sqrt(alpha), std::sqrt(1 - alpha));
  const at::Tensor z0 = config_.clipping(parts.z0);
  const double variance = config_.eta > 0 ? (1 - after) / (1 - alpha) * (1 - alpha / after) : 0.0;
  const double deviation = config_.eta * std::sqrt(std::max(variance, 0.0));
  const double direction = std::sqrt(std::max(1 - after - deviation * deviation, 0.0));
  at::Tensor next = std::sqrt(after) * z0 + direction * parts.epsilon;
  if (needs_noise(index)) next = next + deviation * given_noise(noise, "ddim with eta > 0");
  return {next, z0};
}

at::Tensor DdimScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  return schedule_.add_noise(z0, noise, timestep(index));
}

}  // namespace domainfusion
