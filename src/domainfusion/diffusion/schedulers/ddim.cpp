#include "domainfusion/diffusion/schedulers/ddim.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/model_config.h"

namespace domainfusion {
namespace {

// numpy's round: halves to the even neighbour (the default rounding mode of nearbyint).
double round_half_even(double value) { return std::nearbyint(value); }

std::vector<double> leading_timesteps(std::int64_t train, std::int64_t steps, std::int64_t offset) {
  std::vector<double> result;
  for (std::int64_t i = steps - 1; i >= 0; --i) result.push_back(static_cast<double>(i * (train / steps) + offset));
  return result;
}

std::vector<double> linspace_timesteps(std::int64_t train, std::int64_t steps) {
  const double gap = steps > 1 ? static_cast<double>(train - 1) / static_cast<double>(steps - 1) : 0;
  std::vector<double> result;
  for (std::int64_t i = steps - 1; i >= 0; --i) {
    // numpy ends a linspace on its last value exactly.
    result.push_back(i > 0 && i == steps - 1 ? static_cast<double>(train - 1) : round_half_even(static_cast<double>(i) * gap));
  }
  return result;
}

std::vector<double> trailing_timesteps(std::int64_t train, std::int64_t steps) {
  const double ratio = static_cast<double>(train) / static_cast<double>(steps);
  const auto count = static_cast<std::int64_t>(std::ceil(static_cast<double>(train) / ratio));
  std::vector<double> result;
  for (std::int64_t i = 0; i < count; ++i) {
    result.push_back(round_half_even(static_cast<double>(train) - static_cast<double>(i) * ratio) - 1);
  }
  return result;
}

}  // namespace

DdimConfig DdimConfig::from_json(const nlohmann::json& object) {
  ModelConfigReader reader(object, "scheduler_config.json (ddim)");
  DdimConfig c;
  c.clip_sample = reader.boolean("clip_sample", c.clip_sample);
  c.clip_sample_range = reader.real("clip_sample_range", c.clip_sample_range, 0, 1e6);
  c.set_alpha_to_one = reader.boolean("set_alpha_to_one", c.set_alpha_to_one);
  c.steps_offset = reader.integer("steps_offset", c.steps_offset, 0, 1000);
  c.timestep_spacing = reader.text("timestep_spacing", c.timestep_spacing);
  if (c.timestep_spacing != "leading" && c.timestep_spacing != "linspace" && c.timestep_spacing != "trailing") {
    reader.refuse("timestep_spacing", "\"leading\", \"linspace\" or \"trailing\"");
  }
  reader.only("thresholding", {false});
  return c;
}

DdimScheduler::DdimScheduler(const nlohmann::json& scheduler_config, double eta)
    : schedule_(scheduler_config), config_(DdimConfig::from_json(scheduler_config)) {
  check<ConfigError>(eta >= 0 && eta <= 1, "eta = {}: expected 0 … 1", eta);
  config_.eta = eta;
}

void DdimScheduler::set_timesteps(std::int64_t steps) {
  const std::int64_t train = schedule_.train_timesteps();
  check<ConfigError>(steps >= 1 && steps <= train, "{} denoising steps: expected 1 … {} (num_train_timesteps)", steps, train);
  if (config_.timestep_spacing == "leading") {
    timesteps_ = leading_timesteps(train, steps, config_.steps_offset);
  } else {
    timesteps_ = config_.timestep_spacing == "linspace" ? linspace_timesteps(train, steps) : trailing_timesteps(train, steps);
  }
  check<ConfigError>(timesteps_.front() < static_cast<double>(train),
                     "steps_offset = {} with {} steps asks for timestep {}; the model knows 0 … {}: use fewer steps",
                     config_.steps_offset, steps, timesteps_.front(), train - 1);
}

std::int64_t DdimScheduler::timestep(std::size_t index) const {
  check<ConfigError>(index < timesteps_.size(), "step {} of {}: call set_timesteps first", index, timesteps_.size());
  return static_cast<std::int64_t>(timesteps_[index]);
}

double DdimScheduler::alpha_after(std::size_t index) const {
  const std::int64_t next = timestep(index) - schedule_.train_timesteps() / static_cast<std::int64_t>(timesteps_.size());
  if (next >= 0) return schedule_.alpha_cumprod(next);
  return config_.set_alpha_to_one ? 1.0 : schedule_.alpha_cumprod(0);
}

DdimScheduler::Parts DdimScheduler::parts_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& z) const {
  const double alpha = schedule_.alpha_cumprod(timestep(index));
  const double signal = std::sqrt(alpha), noise = std::sqrt(1 - alpha);
  Parts parts;
  switch (schedule_.prediction_type()) {
    case PredictionType::kEpsilon:
      parts = {(z - noise * prediction) / signal, prediction};
      break;
    case PredictionType::kVelocity:
      parts = {signal * z - noise * prediction, signal * prediction + noise * z};
      break;
    case PredictionType::kSample:
      parts = {prediction, (z - signal * prediction) / noise};
      break;
  }
  if (config_.clip_sample) parts.z0 = parts.z0.clamp(-config_.clip_sample_range, config_.clip_sample_range);
  return parts;
}

at::Tensor DdimScheduler::predicted_z0(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const {
  return parts_of(prediction, index, sample).z0;
}

at::Tensor DdimScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                               const at::Tensor& noise) {
  const double alpha = schedule_.alpha_cumprod(timestep(index)), after = alpha_after(index);
  const Parts parts = parts_of(prediction, index, sample);
  const double variance = config_.eta > 0 ? (1 - after) / (1 - alpha) * (1 - alpha / after) : 0.0;
  const double deviation = config_.eta * std::sqrt(std::max(variance, 0.0));
  const at::Tensor mean = std::sqrt(after) * parts.z0 + std::sqrt(std::max(1 - after - deviation * deviation, 0.0)) * parts.epsilon;
  if (config_.eta == 0) return mean;
  check<ConfigError>(noise.defined(), "DDIM with eta = {} needs noise for every step", config_.eta);
  return mean + deviation * noise;
}

at::Tensor DdimScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  return schedule_.add_noise(z0, noise, torch::full({z0.size(0)}, timestep(index), torch::kLong));
}

}  // namespace domainfusion
