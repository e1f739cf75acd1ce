// Every scheduler at the ends of what may be asked of it, with a stand-in for the model: whatever is accepted ends in
// numbers, and what is refused names its limit.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr std::int64_t kSteps[] = {1, 2, 999, 1000};

json stable_diffusion(const std::string& prediction_type, const json& changes = json::object()) {
  json config{{"beta_start", 0.00085},
              {"beta_end", 0.012},
              {"beta_schedule", "scaled_linear"},
              {"clip_sample", false},
              {"steps_offset", 1},
              {"skip_prk_steps", true},
              {"eta", 0},
              {"prediction_type", prediction_type}};
  config.update(changes);
  return config;
}

// A bounded prediction of any type: the noise, velocity or image that a network might name.
at::Tensor stand_in(const at::Tensor& sample) { return 0.5 * at::tanh(sample); }

const at::Tensor& some_noise() {
  static const at::Tensor noise = torch::tensor({0.3f, -1.2f, 2.1f, 0.0f});
  return noise;
}

at::Tensor taken_all(Scheduler& scheduler, std::size_t start, at::Tensor z) {
  for (std::size_t i = start; i < scheduler.timesteps().size(); ++i) {
    const at::Tensor noise = scheduler.needs_noise(i) ? some_noise() : at::Tensor();
    z = scheduler.step(stand_in(scheduler.scale_model_input(z, i)), i, z, noise).sample;
  }
  return z;
}

at::Tensor from_noise(Scheduler& scheduler, std::int64_t steps) {
  scheduler.set_timesteps(steps);
  return taken_all(scheduler, 0, some_noise() * scheduler.init_noise_sigma());
}

at::Tensor from_image(Scheduler& scheduler, std::int64_t steps, double strength) {
  const std::size_t start = scheduler.set_timesteps_from(steps, strength);
  const at::Tensor image = torch::tensor({1.0f, -0.5f, 0.0f, 0.2f});
  if (start >= scheduler.timesteps().size()) return image;
  return taken_all(scheduler, start, scheduler.add_noise(image, some_noise(), start));
}

void expect_finite_or_refused(const std::string& name, const json& config, std::int64_t steps) {
  const torch::NoGradGuard no_grad;
  const auto check = [&](const char* way, auto make) {
    const std::string where = fmt::format("{} {} {} steps {}", name, way, steps, config.dump());
    try {
      const auto scheduler = scheduler_registry().make(name, config);
      const at::Tensor z = make(*scheduler);
      EXPECT_TRUE(at::isfinite(z).all().item<bool>()) << where;
    } catch (const ConfigError& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.find("steps") != std::string::npos || message.find("prediction_type") != std::string::npos ||
                  message.find("timestep_spacing") != std::string::npos)
          << where << ": " << message;
    }
  };
  check("from noise", [&](Scheduler& s) { return from_noise(s, steps); });
  check("from an image", [&](Scheduler& s) { return from_image(s, steps, 0.5); });
  if (steps <= 2) check("from an image's noise", [&](Scheduler& s) { return from_image(s, steps, 1); });
}

void expect_finite_or_refused_at_all_steps(const std::string& name, const json& config) {
  for (const std::int64_t steps : kSteps) expect_finite_or_refused(name, config, steps);
}

constexpr const char* kPredictionTypes[] = {"epsilon", "v_prediction", "sample"};

std::vector<std::string> names() { return scheduler_registry().names(); }

}  // namespace

class SchedulerLimits : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(, SchedulerLimits, testing::ValuesIn(names()), [](const auto& info) { return info.param; });

TEST_P(SchedulerLimits, EveryNumberOfStepsEndsInNumbersOrIsRefused) {
  for (const char* type : kPredictionTypes) {
    for (const char* spacing : {"leading", "linspace", "trailing"}) {
      expect_finite_or_refused_at_all_steps(GetParam(), stable_diffusion(type, {{"timestep_spacing", spacing}}));
    }
    expect_finite_or_refused_at_all_steps(GetParam(),
                                          stable_diffusion(type, {{"steps_offset", 0}, {"set_alpha_to_one", true}}));
  }
}

TEST_P(SchedulerLimits, WithoutASignalAtTheLastTimestepTheyEndInNumbersOrAreRefused) {
  for (const char* type : kPredictionTypes) {
    expect_finite_or_refused_at_all_steps(
        GetParam(), stable_diffusion(type, {{"timestep_spacing", "trailing"}, {"rescale_betas_zero_snr", true}}));
  }
}

TEST(SchedulerLimitsOfOneClass, TheOptionsOfTheirOwnEndInNumbersOrAreRefused) {
  const std::vector<std::pair<const char*, json>> rows{
      {"ddim", {{"eta", 1}}},
      {"ddpm", {{"variance_type", "fixed_large"}}},
      {"pndm", {{"skip_prk_steps", false}, {"steps_offset", 0}}},
      {"euler", {{"use_karras_sigmas", true}}},
      {"euler", {{"interpolation_type", "log_linear"}}},
      {"euler", {{"timestep_type", "continuous"}, {"final_sigmas_type", "sigma_min"}}},
      {"dpmsolver", {{"solver_order", 3}}},
      {"dpmsolver", {{"use_karras_sigmas", true}, {"solver_order", 3}}},
      {"dpmsolver", {{"use_lu_lambdas", true}, {"solver_type", "heun"}}},
      {"dpmsolver", {{"final_sigmas_type", "zero"}, {"timestep_spacing", "leading"}, {"steps_offset", 0}}},
      {"dpmsolver", {{"algorithm_type", "dpmsolver"}, {"solver_order", 3}}},
      {"dpmsolver", {{"algorithm_type", "sde-dpmsolver++"}, {"final_sigmas_type", "zero"}}},
      {"dpmsolver", {{"algorithm_type", "sde-dpmsolver"}, {"use_karras_sigmas", true}}}};
  for (const auto& [name, changes] : rows) {
    for (const char* type : kPredictionTypes)
      expect_finite_or_refused_at_all_steps(name, stable_diffusion(type, changes));
  }
}

TEST(SchedulerLimitsOfOneClass, AnInversionAndItsWayBackEndInNumbersOrAreRefused) {
  const torch::NoGradGuard no_grad;
  for (const char* type : kPredictionTypes) {
    for (const char* spacing : {"leading", "trailing"}) {
      for (const std::int64_t steps : kSteps) {
        const json config = stable_diffusion(type, {{"timestep_spacing", spacing}});
        const auto inverse = scheduler_registry().make("ddim_inverse", config),
                   back = scheduler_registry().make("ddim", config);
        const std::string refusal = message_of<ConfigError>([&] {
          inverse->set_timesteps(steps);
          back->set_timesteps(steps);
          const at::Tensor z = taken_all(*back, 0, taken_all(*inverse, 0, some_noise()));
          EXPECT_TRUE(at::isfinite(z).all().item<bool>()) << type << spacing << steps;
        });
        EXPECT_TRUE(refusal == "no error" || (steps == 1000 && refusal.find("use fewer steps") != std::string::npos))
            << refusal;
      }
    }
  }
}

TEST(SchedulerLimitsOfOneClass, NoiseCannotBePredictedWhereThereIsNoSignal) {
  const json config = stable_diffusion("epsilon", {{"rescale_betas_zero_snr", true}});
  const std::string message = message_of<ConfigError>([&] { NoiseSchedule schedule(config); });
  EXPECT_NE(message.find("rescale_betas_zero_snr to false"), std::string::npos) << message;
  EXPECT_NO_THROW(NoiseSchedule(stable_diffusion("v_prediction", {{"rescale_betas_zero_snr", true}})));
  const auto refusal = [](const json& changes) {
    return message_of<ConfigError>([&] { NoiseSchedule schedule(stable_diffusion("epsilon", changes)); });
  };
  EXPECT_NE(refusal({{"beta_start", 1e-12}}).find("beta_start"), std::string::npos);
  EXPECT_NE(refusal({{"beta_start", 0.9}, {"beta_end", 0.99}}).find("beta_end"), std::string::npos);
}

}  // namespace domainfusion
