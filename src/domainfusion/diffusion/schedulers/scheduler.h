#pragma once
// How a diffusion model's predictions become a sample: the denoising loop's rule for one step.
//
//   scheduler->set_timesteps(20);
//   for (i = 0 …) {
//     prediction = model(scheduler->scale_model_input(sample, i), scheduler->timesteps()[i]);
//     sample = scheduler->step(prediction, i, sample, scheduler->needs_noise(i) ? noise : at::Tensor()).sample;
//   }

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/core/registry.h"

namespace domainfusion {

struct SchedulerStep {
  at::Tensor sample;  // at the next timestep
  at::Tensor z0;      // the clean latents that the prediction implies; undefined where a method has none (PNDM)
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Prepares `steps` denoising steps and forgets those taken before; 1 … num_train_timesteps, else ConfigError.
  virtual void set_timesteps(std::int64_t steps) = 0;
  // The same for image-to-image at `strength` (0 … 1); returns the index of the first step to take. That leaves the
  // last min(int(steps * strength), steps) of the steps; timesteps().size(), none at all, if that is 0.
  virtual std::size_t set_timesteps_from(std::int64_t steps, double strength);

  // What the model is asked at, in the order of the steps: descending, except those of ddim_inverse. PNDM asks twice at
  // one.
  virtual const std::vector<double>& timesteps() const = 0;
  // The noise levels sqrt((1 - abar) / abar) before each step and after the last one, of schedulers that step in them;
  // else empty.
  virtual std::vector<double> sigmas() const { return {}; }
  // Standard deviation of the noise that a sample from noise alone starts with.
  virtual double init_noise_sigma() const { return 1; }
  // The sample as the model wants to see it at timesteps()[index].
  virtual at::Tensor scale_model_input(const at::Tensor& sample, std::size_t index) const;

  // Whether step `index` adds noise.
  virtual bool needs_noise(std::size_t index) const;
  // One step: from the sample at timesteps()[index] to the next one. `prediction` is the model's output in its own type
  // (epsilon, velocity, sample), of the sample's shape. `noise`: standard normal, of the sample's shape; ConfigError if
  // needs_noise(index) and it is undefined. Steps are taken in order; the first one may have any index.
  virtual SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                             const at::Tensor& noise = {}) = 0;
  // The sample of clean latents z0 with `noise` at timesteps()[index].
  virtual at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const = 0;

  // False for ddim_inverse, whose steps go from the image to its noise.
  virtual bool denoises() const { return true; }
};

// Number of steps that image-to-image takes: min(int(steps * strength), steps).
std::int64_t image_to_image_steps(std::int64_t steps, double strength);

// `noise`, or the ConfigError that step() promises.
const at::Tensor& given_noise(const at::Tensor& noise, const char* scheduler);

// All schedulers by name; each is built from a scheduler_config.json of any class, as diffusers builds it: fields of
// other classes are passed over, absent fields take the defaults of the class that is built. A field whose value is not
// supported is a ConfigError that names it.
using SchedulerRegistry = Registry<Scheduler, const nlohmann::json&>;
const SchedulerRegistry& scheduler_registry();

// The registry's name of diffusers' class ("DDIMScheduler" -> "ddim"); ConfigError for a class that is not there.
std::string scheduler_name_of_class(const std::string& class_name);

// The name itself, if the registry has it; for "auto" that of the file's own _class_name. Behind a colon may stand the
// spacing of the timesteps that it is to have in place of the file's: "euler:trailing". ConfigError for another name or
// class.
std::string resolved_scheduler_name(const std::string& name, const nlohmann::json& scheduler_config);

// The scheduler of such a name. ConfigError, also for another spacing.
std::unique_ptr<Scheduler> make_scheduler(const std::string& name, nlohmann::json scheduler_config);

}  // namespace domainfusion
