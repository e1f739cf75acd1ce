#pragma once
// Which of the training timesteps a sampler visits (Lin et al. 2023, table 2), with the roundings of the numpy calls
// that diffusers makes.

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/config/model_config.h"

namespace domainfusion {

enum class TimestepSpacing { kLeading, kLinspace, kTrailing };

// The field timestep_spacing; ConfigError for another word.
TimestepSpacing timestep_spacing_of(ModelConfigReader& reader, TimestepSpacing fallback);

// numpy.linspace(0, highest, count), from the highest down.
std::vector<double> linspace_down(double highest, std::int64_t count);
// (count - 1) * ratio + offset … offset.
std::vector<double> multiples_down(std::int64_t ratio, std::int64_t count, std::int64_t offset);
// numpy.arange(highest, 0, -ratio), rounded, less 1.
// Differs from diffusers: for some ratios arange has one value too many, a rounding error above 0; the timestep -1 that
// it would become is left out.
std::vector<double> trailing_timesteps(double highest, double ratio);
// numpy.round: halves to the even neighbour.
std::vector<double> rounded(std::vector<double> values);

// The whole timesteps of `steps` steps of `train`, descending. ConfigError unless 1 <= steps <= train and all are known
// to the model.
std::vector<double> spaced_timesteps(TimestepSpacing spacing, std::int64_t train, std::int64_t steps,
                                     std::int64_t offset);

// ConfigError unless 1 <= steps <= train.
void check_steps(std::int64_t steps, std::int64_t train);
// ConfigError unless every timestep lies in 0 … train - 1.
void check_timesteps(const std::vector<double>& timesteps, std::int64_t train, std::int64_t offset);
// timesteps[index]; ConfigError if there is no such step.
double timestep_at(const std::vector<double>& timesteps, std::size_t index);

}  // namespace domainfusion
