#pragma once
// How a diffusion model's predictions become a sample: the denoising loop's rule for one step.

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/core/registry.h"

namespace domainfusion {

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Prepares `steps` denoising steps; 1 … num_train_timesteps, else ConfigError.
  virtual void set_timesteps(std::int64_t steps) = 0;
  // What the model is asked at, in the order of the steps (descending).
  virtual const std::vector<double>& timesteps() const = 0;

  // One step: from the sample at timesteps()[index] to the next one. `prediction` is the model's output in its own type
  // (epsilon, velocity, sample), of the sample's shape. `noise` (standard normal) is read only by stochastic steps and may be
  // undefined otherwise. Steps are taken in order; the first one may have any index.
  virtual at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                          const at::Tensor& noise = {}) = 0;
  // The sample of clean latents z0 with `noise` at timesteps()[index].
  virtual at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const = 0;
};

// All schedulers by name; each is built from a scheduler_config.json of any class, as diffusers builds it: fields of other
// classes are passed over, absent fields take the defaults of the class that is built.
using SchedulerRegistry = Registry<Scheduler, const nlohmann::json&>;
const SchedulerRegistry& scheduler_registry();

}  // namespace domainfusion
