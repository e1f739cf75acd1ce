#include <torch/types.h>

#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "domainfusion/python/bindings.h"

namespace domainfusion {
namespace {

std::unique_ptr<Scheduler> new_scheduler(const std::string& name, const nlohmann::json& config) {
  check<ConfigError>(config.is_object() || config.is_null(), "a scheduler's config: expected a dict, or None");
  const nlohmann::json fields = config.is_null() ? nlohmann::json::object() : config;
  return scheduler_registry().make(resolved_scheduler_name(name, fields), fields);
}

std::size_t checked_step(const Scheduler& scheduler, std::int64_t index) {
  const auto steps = static_cast<std::int64_t>(scheduler.timesteps().size());
  check<ConfigError>(steps > 0, "a scheduler without steps: call set_timesteps first");
  check<ConfigError>(index >= 0 && index < steps, "step {} of a scheduler: expected 0 … {}", index, steps - 1);
  return static_cast<std::size_t>(index);
}

void check_like(const char* what, const at::Tensor& values, const at::Tensor& sample) {
  check<ShapeError>(values.sizes() == sample.sizes(), "{} [{}]: expected [{}], as the sample", what,
                    fmt::join(values.sizes(), ", "), fmt::join(sample.sizes(), ", "));
}

SchedulerStep scheduler_step(Scheduler& scheduler, const at::Tensor& prediction, std::int64_t index,
                             const at::Tensor& sample, const std::optional<at::Tensor>& noise) {
  check_like("prediction", prediction, sample);
  if (noise) check_like("noise", *noise, sample);
  return scheduler.step(prediction, checked_step(scheduler, index), sample, noise.value_or(at::Tensor()));
}

}  // namespace

void bind_schedulers(py::module_& module) {
  module.def(
      "scheduler_names", [] { return scheduler_registry().names(); }, "The names that Scheduler knows.");
  py::class_<SchedulerStep>(module, "SchedulerStep")
      .def_readonly("sample", &SchedulerStep::sample, "at the next timestep")
      .def_property_readonly(
          "z0", [](const SchedulerStep& step) { return step.z0.defined() ? std::optional(step.z0) : std::nullopt; },
          "the clean latents that the prediction implies; None where a method has none (PNDM)");
  py::class_<Scheduler>(module, "Scheduler",
                        "How a model's predictions become a sample: the denoising loop's rule for one step.\n\n"
                        "scheduler = Scheduler(\"ddim\", ldm.scheduler_config)\n"
                        "scheduler.set_timesteps(20)\n"
                        "for i, t in enumerate(scheduler.timesteps):\n"
                        "    prediction = model(scheduler.scale_model_input(sample, i), t)\n"
                        "    noise = torch.randn_like(sample) if scheduler.needs_noise(i) else None\n"
                        "    sample = scheduler.step(prediction, i, sample, noise).sample")
      .def(py::init(&new_scheduler), py::arg("name") = "auto", py::arg("config") = py::none(),
           "name: of scheduler_names(), or \"auto\": the class that the config names. config: the fields of a\n"
           "scheduler_config.json, read as the diffusers class of that name reads them; \"eta\" is one of ddim's.")
      .def("set_timesteps", &Scheduler::set_timesteps, py::arg("steps"),
           "Prepares `steps` denoising steps and forgets those taken before.")
      .def("set_timesteps_from", &Scheduler::set_timesteps_from, py::arg("steps"), py::arg("strength"),
           "The same for image-to-image at `strength` (0 … 1); returns the index of the first step to take.")
      .def_property_readonly("timesteps", &Scheduler::timesteps,
                             "What the model is asked at, in the order of the steps.")
      .def_property_readonly(
          "sigmas", &Scheduler::sigmas,
          "Noise levels before each step and after the last, of schedulers that step in them; else [].")
      .def_property_readonly("init_noise_sigma", &Scheduler::init_noise_sigma,
                             "Standard deviation of the noise that a sample from noise alone starts with.")
      .def_property_readonly("denoises", &Scheduler::denoises, "False for ddim_inverse.")
      .def(
          "scale_model_input",
          [](const Scheduler& s, const at::Tensor& sample, std::int64_t index) {
            return s.scale_model_input(sample, checked_step(s, index));
          },
          py::arg("sample"), py::arg("index"), "The sample as the model wants to see it at timesteps[index].")
      .def(
          "needs_noise", [](const Scheduler& s, std::int64_t index) { return s.needs_noise(checked_step(s, index)); },
          py::arg("index"), "Whether step `index` adds noise.")
      .def("step", &scheduler_step, py::arg("prediction"), py::arg("index"), py::arg("sample"),
           py::arg("noise") = py::none(),
           "One step from the sample at timesteps[index]. prediction: the model's output in its own type, of the\n"
           "sample's shape; noise: standard normal, where needs_noise(index). Steps are taken in order.")
      .def(
          "add_noise",
          [](const Scheduler& s, const at::Tensor& z0, const at::Tensor& noise, std::int64_t index) {
            check_like("noise", noise, z0);
            return s.add_noise(z0, noise, checked_step(s, index));
          },
          py::arg("z0"), py::arg("noise"), py::arg("index"), "Clean latents with noise, at timesteps[index].");
}

}  // namespace domainfusion
