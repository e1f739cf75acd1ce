// What every scheduler must do.

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// Ends at z0 itself, where the class leaves that open.
json config_with(const std::string& prediction_type, const json& more = json::object()) {
  json config{{"beta_start", 0.00085},    {"beta_end", 0.012},      {"beta_schedule", "scaled_linear"},
              {"clip_sample", false},     {"steps_offset", 1},      {"prediction_type", prediction_type},
              {"set_alpha_to_one", true}, {"skip_prk_steps", true}, {"final_sigmas_type", "zero"}};
  config.update(more);
  return config;
}

at::Tensor drawn(std::uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randn({2, 4, 3, 3});
}

// What a perfect model of the single image z0 predicts about a sample, from the scheduler's own scaling and noising.
at::Tensor perfect_prediction(const Scheduler& scheduler, const std::string& type, const at::Tensor& z0,
                              const at::Tensor& sample, std::size_t index) {
  const at::Tensor one = torch::ones({1, 1}), zero = torch::zeros({1, 1});
  const auto seen = [&](const at::Tensor& z, const at::Tensor& noise) {
    return scheduler.scale_model_input(scheduler.add_noise(z, noise, index), index).item<double>();
  };
  const double signal = seen(one, zero), noise = seen(zero, one);
  const at::Tensor epsilon = (scheduler.scale_model_input(sample, index) - signal * z0) / noise;
  if (type == "epsilon") return epsilon;
  return type == "sample" ? z0 : signal * epsilon - noise * z0;
}

// From noised z0 at `start` to the end, with perfect predictions.
at::Tensor denoised(Scheduler& scheduler, const std::string& type, const at::Tensor& z0, std::size_t start) {
  at::Tensor z = scheduler.add_noise(z0, drawn(2), start);
  for (std::size_t i = start; i < scheduler.timesteps().size(); ++i) {
    z = scheduler.step(perfect_prediction(scheduler, type, z0, z, i), i, z, drawn(100 + i)).sample;
  }
  return z;
}

// PNDM mixes predictions of several timesteps, which are equal for epsilon alone; and from a start in the middle it
// stays one step behind the timesteps, as in diffusers.
bool is_exact(const std::string& name, const std::string& type, std::size_t start) {
  return name != "pndm" || (type == "epsilon" && start == 0);
}

void expect_refused(const SchedulerRegistry::Entry& entry, const std::string& key, const json& value) {
  const std::string message = message_of<ConfigError>([&] { entry.make(config_with("epsilon", {{key, value}})); });
  EXPECT_NE(message.find(key), std::string::npos) << entry.name << ": " << key << " = " << value << ": " << message;
}

}  // namespace

TEST(SchedulerContract, NoisingAndExactStepsRecoverTheSample) {
  const at::Tensor z0 = drawn(1);
  for (const auto& entry : scheduler_registry().entries()) {
    for (const std::string type : {"epsilon", "v_prediction", "sample"}) {
      for (const std::size_t start : {0u, 5u}) {
        if (!is_exact(entry.name, type, start)) continue;
        const auto scheduler = entry.make(config_with(type));
        if (!scheduler->denoises()) continue;
        scheduler->set_timesteps(10);
        EXPECT_FALSE(scheduler->add_noise(z0, drawn(2), start).allclose(z0, 0.1, 0.1));
        EXPECT_TRUE(denoised(*scheduler, type, z0, start).allclose(z0, 1e-3, 1e-3))
            << entry.name << " " << type << " from step " << start;
      }
    }
  }
}

TEST(SchedulerContract, EveryVariantRecoversTheSample) {
  std::vector<std::pair<std::string, json>> variants{
      {"ddim", {{"eta", 1}}},
      {"ddim", {{"timestep_spacing", "trailing"}, {"rescale_betas_zero_snr", true}}},
      {"ddpm", {{"variance_type", "fixed_small_log"}}},
      {"ddpm", {{"timestep_spacing", "trailing"}}},
      {"pndm", {{"skip_prk_steps", false}}},
      {"euler", {{"use_karras_sigmas", true}}},
      {"euler", {{"timestep_spacing", "trailing"}, {"rescale_betas_zero_snr", true}}},
      {"euler", {{"use_karras_sigmas", true}, {"sigma_min", 0.1}, {"sigma_max", 10}}},
      {"dpmsolver", {{"use_karras_sigmas", true}}},
      {"dpmsolver", {{"use_lu_lambdas", true}}},
      {"dpmsolver", {{"timestep_spacing", "trailing"}}},
      {"dpmsolver", {{"euler_at_final", true}}},
      {"lcm", {{"original_inference_steps", 100}, {"timestep_scaling", 5}}}};
  for (const char* algorithm : {"dpmsolver++", "sde-dpmsolver++"}) {
    for (const char* solver : {"midpoint", "heun"}) {
      for (const int order : {1, 2, 3}) {
        if (order == 3 && std::string(algorithm).starts_with("sde")) continue;
        variants.push_back(
            {"dpmsolver", {{"algorithm_type", algorithm}, {"solver_type", solver}, {"solver_order", order}}});
      }
    }
  }
  const at::Tensor z0 = drawn(1);
  for (const auto& [name, options] : variants) {
    const std::string type = options.contains("rescale_betas_zero_snr") ? "v_prediction" : "epsilon";
    const auto scheduler = scheduler_registry().make(name, config_with(type, options));
    for (const std::int64_t steps : {10, 20}) {  // below and above the 15 up to which DPM-Solver is careful
      scheduler->set_timesteps(steps);
      EXPECT_TRUE(denoised(*scheduler, type, z0, 0).allclose(z0, 2e-3, 2e-3)) << name << " " << options << " " << steps;
    }
  }
}

TEST(SchedulerContract, NoisePredictingSolversEndAtTheLowestLevel) {
  const at::Tensor z0 = drawn(1);
  for (const char* solver : {"midpoint", "heun"}) {
    for (const bool karras : {false, true}) {
      const auto scheduler =
          scheduler_registry().make("dpmsolver", config_with("epsilon", {{"algorithm_type", "dpmsolver"},
                                                                         {"final_sigmas_type", "sigma_min"},
                                                                         {"solver_type", solver},
                                                                         {"use_karras_sigmas", karras}}));
      scheduler->set_timesteps(20);
      EXPECT_NEAR(scheduler->sigmas().back(), 0.0292, 1e-4);
      // What is left is noise of that level.
      EXPECT_LT((denoised(*scheduler, "epsilon", z0, 0) - z0).abs().max().item<double>(), 5 * 0.0292) << solver;
    }
  }
}

TEST(SchedulerContract, EulerEndsWhereItsFileSays) {
  for (const bool karras : {false, true}) {
    json options{{"final_sigmas_type", "sigma_min"}, {"use_karras_sigmas", karras}};
    const auto last_level = [&](const char* name) {
      const auto scheduler = scheduler_registry().make(name, config_with("epsilon", options));
      scheduler->set_timesteps(20);
      return scheduler->sigmas().back();
    };
    EXPECT_NEAR(last_level("euler"), 0.0292, 1e-4);
    EXPECT_EQ(last_level("euler_ancestral"), 0);  // has no such field
    options["final_sigmas_type"] = "zero";
    EXPECT_EQ(last_level("euler"), 0);
  }
}

TEST(SchedulerContract, TimestepsAreInOrderAndInsideTheTrainingRange) {
  for (const auto& entry : scheduler_registry().entries()) {
    for (const char* spacing : {"leading", "linspace", "trailing"}) {
      if (entry.name == "ddim_inverse" && std::string(spacing) == "linspace") continue;  // refused, as by diffusers
      for (const std::int64_t steps : {1, 2, 7, 48, 50}) {
        const auto scheduler = entry.make(config_with("epsilon", {{"timestep_spacing", spacing}}));
        scheduler->set_timesteps(steps);
        std::vector<double> t = scheduler->timesteps();
        if (scheduler->denoises()) std::reverse(t.begin(), t.end());
        EXPECT_TRUE(std::is_sorted(t.begin(), t.end())) << entry.name;
        EXPECT_TRUE(t.back() < 1000 && t.front() >= 0) << entry.name;
        const std::vector<double> levels = scheduler->sigmas();
        EXPECT_TRUE(levels.empty() ||
                    (levels.size() == t.size() + 1 && std::is_sorted(levels.rbegin(), levels.rend())));
      }
    }
  }
}

TEST(SchedulerContract, TrailingTimestepsAreRoundedAsByNumpy) {
  const auto scheduler = scheduler_registry().make("ddim", config_with("epsilon", {{"timestep_spacing", "trailing"}}));
  scheduler->set_timesteps(48);
  EXPECT_EQ(scheduler->timesteps()[3], 936);  // numpy's arange has 937.4999999999999 there, not 937.5
  scheduler->set_timesteps(61);
  EXPECT_EQ(scheduler->timesteps().size(), 61u);  // numpy's has a 62nd value, 1e-12
}

TEST(SchedulerContract, StrengthLeavesTheLastSteps) {
  for (const auto& entry : scheduler_registry().entries()) {
    const auto scheduler = entry.make(config_with("epsilon"));
    const std::size_t none = scheduler->set_timesteps_from(10, 0);
    EXPECT_EQ(none, scheduler->timesteps().size()) << entry.name;
    EXPECT_EQ(scheduler->set_timesteps_from(10, 1), 0u) << entry.name;
    EXPECT_EQ(scheduler->set_timesteps_from(10, 0.5), 5u) << entry.name;
  }
  EXPECT_EQ(image_to_image_steps(8, 0.3), 2);
  EXPECT_EQ(image_to_image_steps(20, 1.0), 20);
}

TEST(SchedulerContract, PndmTakesRungeKuttaStepsFromTheStartAlone) {
  const auto scheduler = scheduler_registry().make("pndm", config_with("epsilon", {{"skip_prk_steps", false}}));
  EXPECT_EQ(scheduler->set_timesteps_from(10, 1), 0u);
  EXPECT_EQ(scheduler->timesteps().size(), 19u);  // 12 Runge-Kutta calls, 7 steps
  EXPECT_THROW(scheduler->step(drawn(1), 5, drawn(1)), ConfigError);
  EXPECT_EQ(scheduler->set_timesteps_from(10, 0.5), 5u);
  EXPECT_EQ(scheduler->timesteps().size(), 11u);
  EXPECT_NO_THROW(scheduler->step(drawn(1), 5, drawn(1)));
  scheduler->set_timesteps(10);
  EXPECT_EQ(scheduler->timesteps().size(), 19u);
}

TEST(SchedulerContract, StochasticStepsTakeTheNoiseTheyAreGiven) {
  int stochastic = 0;
  for (const auto& entry : scheduler_registry().entries()) {
    const auto scheduler = entry.make(config_with("epsilon", {{"eta", 0.5}, {"algorithm_type", "sde-dpmsolver++"}}));
    scheduler->set_timesteps(10);
    const at::Tensor sample = drawn(1), prediction = drawn(2);
    if (!scheduler->needs_noise(0)) continue;
    ++stochastic;
    EXPECT_THROW(scheduler->step(prediction, 0, sample), ConfigError) << entry.name;
    const auto next = [&](std::uint64_t seed) {
      scheduler->set_timesteps(10);
      return scheduler->step(prediction, 0, sample, drawn(seed)).sample;
    };
    EXPECT_TRUE(next(3).equal(next(3))) << entry.name;
    EXPECT_FALSE(next(3).allclose(next(4))) << entry.name;
  }
  EXPECT_EQ(stochastic, 5);  // ddpm, ddim with eta, euler_ancestral, dpmsolver as SDE, lcm
}

TEST(SchedulerContract, ANewLadderForgetsTheStepsBefore) {
  const at::Tensor z0 = drawn(1);
  for (const auto& entry : scheduler_registry().entries()) {
    const auto scheduler = entry.make(config_with("epsilon"));
    const auto after_three = [&] {
      scheduler->set_timesteps(10);
      at::Tensor z = z0;
      for (std::size_t i = 0; i < 3; ++i) z = scheduler->step(drawn(10 + i), i, z, drawn(20 + i)).sample;
      return z;
    };
    EXPECT_TRUE(after_three().equal(after_three())) << entry.name;
  }
}

TEST(SchedulerContract, ABatchStepsAsItsItems) {
  const at::Tensor z0 = drawn(1);
  for (const auto& entry : scheduler_registry().entries()) {
    const auto stepped = [&](std::int64_t first, std::int64_t count) {
      const auto scheduler = entry.make(config_with("v_prediction"));
      scheduler->set_timesteps(10);
      at::Tensor z = z0.narrow(0, first, count);
      for (std::size_t i = 0; i < 5; ++i) {
        z = scheduler->step(drawn(10 + i).narrow(0, first, count), i, z, drawn(20 + i).narrow(0, first, count)).sample;
      }
      return z;
    };
    EXPECT_TRUE(stepped(0, 2).narrow(0, 1, 1).equal(stepped(1, 1))) << entry.name;
  }
}

TEST(SchedulerContract, ImpossibleStepCountsAndUnsupportedFieldsAreRefused) {
  for (const auto& entry : scheduler_registry().entries()) {
    const auto scheduler = entry.make(config_with("epsilon"));
    EXPECT_THROW(scheduler->set_timesteps(0), ConfigError);
    EXPECT_THROW(scheduler->set_timesteps(1001), ConfigError);
    EXPECT_THROW(entry.make(config_with("epsilon"))->step(drawn(1), 0, drawn(1), drawn(1)), ConfigError) << entry.name;
    const std::vector<std::pair<std::string, json>> unsupported{{"prediction_type", "flow"},
                                                                {"beta_schedule", "cubic"},
                                                                {"timestep_spacing", "random"},
                                                                {"beta_start", "x"},
                                                                {"trained_betas", json::array({2.0})}};
    for (const auto& [key, value] : unsupported) expect_refused(entry, key, value);
  }
}

TEST(SchedulerContract, FieldsCountForTheClassesThatHaveThem) {
  const std::vector<std::tuple<std::string, std::string, json>> unsupported{
      {"ddpm", "variance_type", "learned_range"},
      {"ddpm", "thresholding", true},
      {"ddim", "thresholding", true},
      {"ddim", "clip_sample", "yes"},
      {"ddim_inverse", "timestep_spacing", "linspace"},
      {"pndm", "prediction_type", "sample"},
      {"euler", "interpolation_type", "cubic"},
      {"euler", "timestep_type", "late"},
      {"euler", "use_beta_sigmas", true},
      {"euler", "final_sigmas_type", "none"},
      {"dpmsolver", "use_exponential_sigmas", true},
      {"dpmsolver", "algorithm_type", "dpmsolver+++"},
      {"dpmsolver", "algorithm_type", "dpmsolver"},  // with final_sigmas_type zero
      {"dpmsolver", "solver_type", "euler"},
      {"dpmsolver", "solver_order", 4},
      {"dpmsolver", "final_sigmas_type", "none"},
      {"dpmsolver", "variance_type", "learned"},
      {"dpmsolver", "thresholding", true},
      {"lcm", "original_inference_steps", 2000},
      {"lcm", "thresholding", true}};
  for (const auto& [name, key, value] : unsupported) {
    const auto& entry = scheduler_registry().at(name);
    if (key == "algorithm_type" && value == "dpmsolver") {
      EXPECT_THROW(entry.make(config_with("epsilon", {{key, value}})), ConfigError);
    } else {
      expect_refused(entry, key, value);
    }
  }
  const json foreign{{"solver_order", 9}, {"algorithm_type", "x"}, {"variance_type", "x"}, {"interpolation_type", "x"}};
  EXPECT_NO_THROW(scheduler_registry().make("ddim", config_with("epsilon", foreign)));
  EXPECT_NO_THROW(scheduler_registry().make("euler_ancestral", config_with("epsilon", foreign)));
  EXPECT_NO_THROW(scheduler_registry().make("euler", config_with("epsilon", {{"thresholding", true}})));
}

TEST(SchedulerContract, AModelsOwnFileNamesItsScheduler) {
  const json pndm{{"_class_name", "PNDMScheduler"}};
  EXPECT_EQ(resolved_scheduler_name("auto", pndm), "pndm");
  EXPECT_EQ(resolved_scheduler_name("euler", pndm), "euler");
  const std::string unknown = message_of<ConfigError>([] {
    resolved_scheduler_name("auto", {{"_class_name", "LMSDiscreteScheduler"}});
  });
  EXPECT_NE(unknown.find("_class_name = \"LMSDiscreteScheduler\""), std::string::npos) << unknown;
  EXPECT_NE(message_of<ConfigError>([] { resolved_scheduler_name("auto", json::object()); }).find("_class_name"),
            std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] { resolved_scheduler_name("eular", pndm); }).find("'euler'"),
            std::string::npos);
}

TEST(DdimInverse, StepsUnderOneNoiseLeadFromTheImageToItAndBack) {
  const at::Tensor z0 = drawn(1), epsilon = drawn(2);
  const json config = config_with("epsilon", {{"set_alpha_to_one", false}});
  const auto inverse = scheduler_registry().make("ddim_inverse", config),
             ddim = scheduler_registry().make("ddim", config);
  inverse->set_timesteps(10);
  ddim->set_timesteps(10);
  const double abar_0 = NoiseSchedule(config).alpha_cumprod(0);
  const at::Tensor start = std::sqrt(abar_0) * z0 + std::sqrt(1 - abar_0) * epsilon;
  at::Tensor z = start;
  for (std::size_t i = 0; i < 10; ++i) {
    z = inverse->step(epsilon, i, z).sample;
    EXPECT_TRUE(z.allclose(inverse->add_noise(z0, epsilon, i), 1e-4, 1e-4)) << i;
  }
  for (std::size_t i = 0; i < 10; ++i) z = ddim->step(epsilon, i, z).sample;
  EXPECT_TRUE(z.allclose(start, 1e-4, 1e-4));
}

TEST(NoiseSchedule, EpsilonIsRecoveredFromEveryKindOfPrediction) {
  torch::manual_seed(2);
  const at::Tensor z0 = torch::randn({3, 2, 2, 2}), noise = torch::randn({3, 2, 2, 2}),
                   t = torch::tensor({10, 500, 990});
  for (const char* type : {"epsilon", "v_prediction", "sample"}) {
    const NoiseSchedule schedule(config_with(type));
    const at::Tensor z_t = schedule.add_noise(z0, noise, t);
    const at::Tensor prediction = schedule.prediction_type() == PredictionType::kEpsilon ? noise
                                  : schedule.prediction_type() == PredictionType::kVelocity
                                      ? schedule.velocity(z0, noise, t)
                                      : z0;
    EXPECT_TRUE(schedule.epsilon_of(prediction, z_t, t).allclose(noise, 1e-3, 1e-3)) << type;
  }
  EXPECT_THROW(NoiseSchedule(json::object()).add_noise(z0, noise, torch::tensor({0, 1, 1000})), ShapeError);
}

}  // namespace domainfusion
