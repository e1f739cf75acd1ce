#include "domainfusion/diffusion/schedulers/euler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

double as_float32(double value) { return static_cast<double>(static_cast<float>(value)); }

bool is_second_word(ModelConfigReader& reader, const char* key, const char* first, const char* second) {
  const std::string word = reader.text(key, first);
  if (word != first && word != second) reader.refuse(key, fmt::format("\"{}\" or \"{}\"", first, second));
  return word == second;
}

std::optional<double> optional_sigma(const nlohmann::json& object, ModelConfigReader& reader, const char* key) {
  if (!object.contains(key) || object[key].is_null()) return std::nullopt;
  return reader.real(key, 0, 1e-12, 1e12);
}

// Fractional timesteps where the spacing gives them: the levels are interpolated.
std::vector<double> euler_timesteps(const EulerConfig& config, std::int64_t train, std::int64_t steps) {
  if (config.timestep_spacing != TimestepSpacing::kLinspace) {
    return spaced_timesteps(config.timestep_spacing, train, steps, config.steps_offset);
  }
  check_steps(steps, train);
  return linspace_down(static_cast<double>(train - 1), steps);
}

}  // namespace

EulerConfig EulerConfig::from_json(const nlohmann::json& object) {
  ModelConfigReader reader(object, "scheduler_config.json (euler)");
  EulerConfig c;
  c.timestep_spacing = timestep_spacing_of(reader, c.timestep_spacing);
  c.steps_offset = reader.integer("steps_offset", c.steps_offset, 0, 1000);
  c.use_karras_sigmas = reader.boolean("use_karras_sigmas", c.use_karras_sigmas);
  c.sigma_min = optional_sigma(object, reader, "sigma_min");
  c.sigma_max = optional_sigma(object, reader, "sigma_max");
  c.log_linear = is_second_word(reader, "interpolation_type", "linear", "log_linear");
  refuse_later_spacings(reader);
  c.continuous = is_second_word(reader, "timestep_type", "discrete", "continuous");
  c.ends_at_lowest = is_second_word(reader, "final_sigmas_type", "zero", "sigma_min");
  return c;
}

EulerScheduler::EulerScheduler(const nlohmann::json& scheduler_config)
    : schedule_(scheduler_config), config_(EulerConfig::from_json(scheduler_config)), ladder_(schedule_) {}

// One level per timestep; "log_linear" gives one more: its last step ends at the lowest level instead of at 0.
std::vector<double> EulerScheduler::spaced_levels(const std::vector<double>& timesteps) const {
  if (config_.log_linear) {
    return log_spaced_sigmas(ladder_.highest_log(), ladder_.lowest_log(),
                             static_cast<std::int64_t>(timesteps.size()) + 1);
  }
  std::vector<double> levels;
  for (const double t : timesteps) levels.push_back(ladder_.at(t));
  return levels;
}

void EulerScheduler::set_timesteps(std::int64_t steps) {
  timesteps_ = euler_timesteps(config_, schedule_.train_timesteps(), steps);
  for (double& t : timesteps_) t = as_float32(t);
  sigmas_ = spaced_levels(timesteps_);
  if (config_.use_karras_sigmas) {
    sigmas_ =
        karras_sigmas(config_.sigma_max.value_or(sigmas_.front()), config_.sigma_min.value_or(sigmas_.back()), steps);
    timesteps_.clear();
    for (const double sigma : sigmas_) timesteps_.push_back(as_float32(ladder_.timestep_of(sigma)));
  }
  for (double& sigma : sigmas_) sigma = as_float32(sigma);
  if (config_.continuous && schedule_.prediction_type() == PredictionType::kVelocity) {
    timesteps_.clear();
    for (const double sigma : sigmas_) timesteps_.push_back(as_float32(0.25f * std::log(static_cast<float>(sigma))));
  }
  sigmas_.push_back(config_.ends_at_lowest ? as_float32(ladder_.lowest()) : 0);
}

double EulerScheduler::sigma(std::size_t index) const {
  check<ConfigError>(index < sigmas_.size(), "noise level {} of {}: call set_timesteps first", index, sigmas_.size());
  return sigmas_[index];
}

double EulerScheduler::init_noise_sigma() const {
  const double highest = sigmas_.empty() ? ladder_.highest() : *std::max_element(sigmas_.begin(), sigmas_.end());
  return config_.timestep_spacing == TimestepSpacing::kLeading ? std::sqrt(highest * highest + 1) : highest;
}

at::Tensor EulerScheduler::scale_model_input(const at::Tensor& sample, std::size_t index) const {
  const double level = sigma(index);
  return sample / std::sqrt(level * level + 1);
}

SchedulerStep EulerScheduler::moved(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                    double to_sigma) const {
  const double from = sigma(index), signal = 1 / std::sqrt(from * from + 1);
  at::Tensor z0 = prediction;
  if (schedule_.prediction_type() == PredictionType::kEpsilon) z0 = sample - from * prediction;
  if (schedule_.prediction_type() == PredictionType::kVelocity)
    z0 = sample * (signal * signal) - from * signal * prediction;
  return {sample + (sample - z0) * ((to_sigma - from) / from), z0};
}

SchedulerStep EulerScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                   const at::Tensor& /*noise*/) {
  return moved(prediction, index, sample, sigma(index + 1));
}

at::Tensor EulerScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  return z0 + sigma(index) * noise;
}

}  // namespace domainfusion
