#include "domainfusion/diffusion/schedulers/ddpm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace domainfusion {
namespace {

bool is_large_variance(ModelConfigReader& reader) {
  const std::string type = reader.text("variance_type", "fixed_small");
  if (type == "fixed_large") return true;
  // Both are the same deviation: one takes the root, the other halves the logarithm.
  if (type == "fixed_small" || type == "fixed_small_log") return false;
  reader.refuse("variance_type", "\"fixed_small\", \"fixed_small_log\" or \"fixed_large\"");
}

}  // namespace

DdpmScheduler::DdpmScheduler(const nlohmann::json& scheduler_config) : schedule_(scheduler_config) {
  ModelConfigReader reader(scheduler_config, "scheduler_config.json (ddpm)");
  clipping_ = SampleClipping::read(reader, true);
  large_variance_ = is_large_variance(reader);
  steps_offset_ = reader.integer("steps_offset", 0, 0, 1000);
  spacing_ = timestep_spacing_of(reader, TimestepSpacing::kLeading);
  refuse_thresholding(reader);
}

void DdpmScheduler::set_timesteps(std::int64_t steps) {
  timesteps_ = spaced_timesteps(spacing_, schedule_.train_timesteps(), steps, steps_offset_);
  steps_ = steps;
}

std::int64_t DdpmScheduler::timestep(std::size_t index) const {
  return static_cast<std::int64_t>(timestep_at(timesteps_, index));
}

double DdpmScheduler::alpha_after(std::size_t index) const {
  const std::int64_t next = timestep(index) - schedule_.train_timesteps() / steps_;
  return next >= 0 ? schedule_.alpha_cumprod(next) : 1.0;
}

SchedulerStep DdpmScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                  const at::Tensor& noise) {
  const double alpha = schedule_.alpha_cumprod(timestep(index)), after = alpha_after(index);
  const double kept = alpha / after, beta = 1 - kept;  // of this step
  const PredictionParts parts =
      split_prediction(schedule_.prediction_type(), prediction, sample, std::sqrt(alpha), std::sqrt(1 - alpha));
  const at::Tensor z0 = clipping_(parts.z0);
  const at::Tensor mean =
      std::sqrt(after) * beta / (1 - alpha) * z0 + std::sqrt(kept) * (1 - after) / (1 - alpha) * sample;
  if (!needs_noise(index)) return {mean, z0};
  const double posterior = std::max((1 - after) / (1 - alpha) * beta, 1e-20);
  return {mean + std::sqrt(large_variance_ ? beta : posterior) * given_noise(noise, "ddpm"), z0};
}

at::Tensor DdpmScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  return schedule_.add_noise(z0, noise, timestep(index));
}

}  // namespace domainfusion
