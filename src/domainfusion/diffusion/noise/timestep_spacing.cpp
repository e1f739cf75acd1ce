#include "domainfusion/diffusion/noise/timestep_spacing.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"

namespace domainfusion {

TimestepSpacing timestep_spacing_of(ModelConfigReader& reader, TimestepSpacing fallback) {
  const std::string word = reader.text("timestep_spacing", "");
  if (word == "leading") return TimestepSpacing::kLeading;
  if (word == "linspace") return TimestepSpacing::kLinspace;
  if (word == "trailing") return TimestepSpacing::kTrailing;
  if (!word.empty()) reader.refuse("timestep_spacing", "\"leading\", \"linspace\" or \"trailing\"");
  return fallback;
}

std::vector<double> linspace_down(double highest, std::int64_t count) {
  const double gap = count > 1 ? highest / static_cast<double>(count - 1) : 0;
  std::vector<double> result;
  for (std::int64_t i = count - 1; i >= 0; --i) result.push_back(static_cast<double>(i) * gap);
  if (count > 1) result.front() = highest;
  return result;
}

std::vector<double> multiples_down(std::int64_t ratio, std::int64_t count, std::int64_t offset) {
  std::vector<double> result;
  for (std::int64_t i = count - 1; i >= 0; --i) result.push_back(static_cast<double>(i * ratio + offset));
  return result;
}

std::vector<double> trailing_timesteps(double highest, double ratio) {
  const auto count = static_cast<std::int64_t>(std::ceil(highest / ratio));
  const double gap = (highest - ratio) - highest;  // numpy takes the gap of the first two values for all
  std::vector<double> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(std::nearbyint(highest + static_cast<double>(i) * gap) - 1);
  if (result.back() < 0) result.pop_back();
  return result;
}

std::vector<double> rounded(std::vector<double> values) {
  for (double& value : values) value = std::nearbyint(value);
  return values;
}

std::vector<double> spaced_timesteps(TimestepSpacing spacing, std::int64_t train, std::int64_t steps,
                                     std::int64_t offset) {
  check_steps(steps, train);
  std::vector<double> timesteps;
  switch (spacing) {
    case TimestepSpacing::kLeading:
      timesteps = multiples_down(train / steps, steps, offset);
      break;
    case TimestepSpacing::kLinspace:
      timesteps = rounded(linspace_down(static_cast<double>(train - 1), steps));
      break;
    case TimestepSpacing::kTrailing:
      timesteps =
          trailing_timesteps(static_cast<double>(train), static_cast<double>(train) / static_cast<double>(steps));
      break;
  }
  check_timesteps(timesteps, train, offset);
  return timesteps;
}

void check_steps(std::int64_t steps, std::int64_t train) {
  check<ConfigError>(steps >= 1 && steps <= train, "{} denoising steps: expected 1 … {} (num_train_timesteps)", steps,
                     train);
}

void check_timesteps(const std::vector<double>& timesteps, std::int64_t train, std::int64_t offset) {
  const auto [low, high] = std::minmax_element(timesteps.begin(), timesteps.end());
  check<ConfigError>(
      *low >= 0 && *high < static_cast<double>(train),
      "steps_offset = {} with {} steps asks for timesteps {} … {}; the model knows 0 … {}: use fewer steps", offset,
      timesteps.size(), *low, *high, train - 1);
}

double timestep_at(const std::vector<double>& timesteps, std::size_t index) {
  check<ConfigError>(index < timesteps.size(), "step {} of {}: call set_timesteps first", index, timesteps.size());
  return timesteps[index];
}

}  // namespace domainfusion
