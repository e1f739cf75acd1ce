#include "domainfusion/diffusion/schedulers/lcm.h"

#include <ATen/ATen.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/noise/timestep_spacing.h"

namespace domainfusion {
namespace {

constexpr double kSigmaData = 0.5;  // of the boundary conditions (Song et al. 2023, eq. 25)

// The class's own defaults of the noise schedule.
nlohmann::json with_defaults(const nlohmann::json& config) {
  nlohmann::json full{{"beta_start", 0.00085}, {"beta_end", 0.012}, {"beta_schedule", "scaled_linear"}};
  full.update(config);
  return full;
}

}  // namespace

LcmScheduler::LcmScheduler(const nlohmann::json& scheduler_config) : schedule_(with_defaults(scheduler_config)) {
  ModelConfigReader reader(scheduler_config, "scheduler_config.json (lcm)");
  clipping_ = SampleClipping::read(reader, false);
  original_inference_steps_ = reader.integer("original_inference_steps", 50, 1, schedule_.train_timesteps());
  timestep_scaling_ = reader.real("timestep_scaling", 10, 1e-6, 1e6);
  timestep_spacing_of(reader, TimestepSpacing::kLeading);  // known, without effect: the ladder below is the only one
  refuse_thresholding(reader);
}

void LcmScheduler::set_timesteps(std::int64_t steps) {
  check_steps(steps, schedule_.train_timesteps());
  check<ConfigError>(steps <= original_inference_steps_, "lcm: {} steps of original_inference_steps {}; use fewer",
                     steps, original_inference_steps_);
  timesteps_.clear();
  const std::int64_t gap = schedule_.train_timesteps() / original_inference_steps_;
  const double stride = static_cast<double>(original_inference_steps_) / static_cast<double>(steps);
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto from_top = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * stride));
    timesteps_.push_back(static_cast<double>((original_inference_steps_ - from_top) * gap - 1));
  }
}

std::int64_t LcmScheduler::timestep(std::size_t index) const {
  return static_cast<std::int64_t>(timestep_at(timesteps_, index));
}

SchedulerStep LcmScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                 const at::Tensor& noise) {
  const std::int64_t t = timestep(index);
  const double alpha = schedule_.alpha_cumprod(t);
  const PredictionParts parts =
      split_prediction(schedule_.prediction_type(), prediction, sample, std::sqrt(alpha), std::sqrt(1 - alpha));
  const double scaled = static_cast<double>(t) * timestep_scaling_;
  const double norm = scaled * scaled + kSigmaData * kSigmaData;
  const at::Tensor z0 = scaled / std::sqrt(norm) * clipping_(parts.z0) + kSigmaData * kSigmaData / norm * sample;
  if (!needs_noise(index)) return {z0, z0};
  const double after = schedule_.alpha_cumprod(timestep(index + 1));
  return {std::sqrt(after) * z0 + std::sqrt(1 - after) * given_noise(noise, "lcm"), z0};
}

at::Tensor LcmScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  return schedule_.add_noise(z0, noise, timestep(index));
}

}  // namespace domainfusion
