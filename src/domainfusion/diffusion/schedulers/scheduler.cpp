#include "domainfusion/diffusion/schedulers/scheduler.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <map>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/schedulers/ddim.h"
#include "domainfusion/diffusion/schedulers/ddim_inverse.h"
#include "domainfusion/diffusion/schedulers/ddpm.h"
#include "domainfusion/diffusion/schedulers/dpmsolver.h"
#include "domainfusion/diffusion/schedulers/euler.h"
#include "domainfusion/diffusion/schedulers/euler_ancestral.h"
#include "domainfusion/diffusion/schedulers/lcm.h"
#include "domainfusion/diffusion/schedulers/pndm.h"

namespace domainfusion {
namespace {

struct SchedulerList {
  template <class Concrete>
  void add(const std::string& name, const std::string& class_name, const std::string& help) {
    registry.add<Concrete>(name, help);
    names_of_classes[class_name] = name;
  }

  SchedulerRegistry registry{"scheduler"};
  std::map<std::string, std::string> names_of_classes;  // diffusers' -> ours
};

const SchedulerList& schedulers() {
  static const SchedulerList list = [] {
    SchedulerList l;
    l.add<DdpmScheduler>("ddpm", "DDPMScheduler", "denoising diffusion (Ho et al. 2020): noise in every step");
    l.add<DdimScheduler>("ddim", "DDIMScheduler",
                         "denoising diffusion implicit models (Song et al. 2021); without noise at eta 0");
    l.add<DdimInverseScheduler>("ddim_inverse", "DDIMInverseScheduler",
                                "DDIM backwards: from an image to the noise it comes from");
    l.add<PndmScheduler>("pndm", "PNDMScheduler",
                         "pseudo linear multistep (Liu et al. 2022); one model call more than steps");
    l.add<EulerScheduler>("euler", "EulerDiscreteScheduler", "Euler steps in the noise level (Karras et al. 2022)");
    l.add<EulerAncestralScheduler>("euler_ancestral", "EulerAncestralDiscreteScheduler", "Euler steps, then new noise");
    l.add<DpmSolverScheduler>("dpmsolver", "DPMSolverMultistepScheduler",
                              "DPM-Solver++ and kin, multistep (Lu et al. 2022)");
    l.add<LcmScheduler>("lcm", "LCMScheduler",
                        "latent consistency models (Luo et al. 2023): 1 to 8 steps of a model made for it");
    return l;
  }();
  return list;
}

// "euler:trailing" -> "euler", "trailing"; without a colon the spacing is empty.
std::pair<std::string, std::string> name_and_spacing(const std::string& name) {
  const auto colon = name.find(':');
  if (colon == std::string::npos) return {name, ""};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

}  // namespace

std::size_t Scheduler::set_timesteps_from(std::int64_t steps, double strength) {
  set_timesteps(steps);
  const std::int64_t taken = image_to_image_steps(steps, strength);
  return taken == 0 ? timesteps().size() : static_cast<std::size_t>(steps - taken);
}

at::Tensor Scheduler::scale_model_input(const at::Tensor& sample, std::size_t /*index*/) const { return sample; }

bool Scheduler::needs_noise(std::size_t /*index*/) const { return false; }

std::int64_t image_to_image_steps(std::int64_t steps, double strength) {
  return std::min(static_cast<std::int64_t>(static_cast<double>(steps) * strength), steps);
}

const at::Tensor& given_noise(const at::Tensor& noise, const char* scheduler) {
  check<ConfigError>(noise.defined(), "{} adds noise in this step and got none", scheduler);
  return noise;
}

const SchedulerRegistry& scheduler_registry() { return schedulers().registry; }

std::string scheduler_name_of_class(const std::string& class_name) {
  const auto& names = schedulers().names_of_classes;
  const auto found = names.find(class_name);
  if (found != names.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [name, ours] : names) known.push_back(name);
  throw ConfigError(
      fmt::format("scheduler_config.json: _class_name = \"{}\" is not supported{}; choose one of {} by its name",
                  class_name, did_you_mean(class_name, known), fmt::join(scheduler_registry().names(), ", ")));
}

std::unique_ptr<Scheduler> make_scheduler(const std::string& name, nlohmann::json scheduler_config) {
  const auto [resolved, spacing] = name_and_spacing(resolved_scheduler_name(name, scheduler_config));
  if (!spacing.empty()) scheduler_config["timestep_spacing"] = spacing;
  return scheduler_registry().make(resolved, scheduler_config);
}

std::string resolved_scheduler_name(const std::string& name, const nlohmann::json& scheduler_config) {
  if (const auto [before, spacing] = name_and_spacing(name); !spacing.empty())
    return resolved_scheduler_name(before, scheduler_config) + ":" + spacing;
  if (name != "auto") return scheduler_registry().at(name).name;
  const auto class_name = scheduler_config.find("_class_name");
  check<ConfigError>(class_name != scheduler_config.end() && class_name->is_string(),
                     "scheduler_config.json has no _class_name to choose the scheduler by; choose one of {}",
                     fmt::join(scheduler_registry().names(), ", "));
  return scheduler_name_of_class(class_name->get<std::string>());
}

}  // namespace domainfusion
