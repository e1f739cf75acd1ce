#include "domainfusion/diffusion/schedulers/euler_ancestral.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace domainfusion {
namespace {

nlohmann::json without_fields_of_euler(nlohmann::json config) {
  for (const char* key : {"use_karras_sigmas", "sigma_min", "sigma_max", "interpolation_type", "timestep_type",
                          "final_sigmas_type", "use_exponential_sigmas", "use_beta_sigmas"}) {
    config.erase(key);
  }
  return config;
}

}  // namespace

EulerAncestralScheduler::EulerAncestralScheduler(const nlohmann::json& scheduler_config)
    : EulerScheduler(without_fields_of_euler(scheduler_config)) {}

SchedulerStep EulerAncestralScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                            const at::Tensor& noise) {
  const double from = sigma(index), to = sigma(index + 1);
  const double up = std::sqrt(std::max(to * to * (from * from - to * to) / (from * from), 0.0));
  SchedulerStep result = moved(prediction, index, sample, std::sqrt(std::max(to * to - up * up, 0.0)));
  if (needs_noise(index)) result.sample = result.sample + up * given_noise(noise, "euler_ancestral");
  return result;
}

}  // namespace domainfusion
