// What every scheduler must do.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/schedulers/noise_schedule.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {
namespace {

using nlohmann::json;

json config_with(const std::string& prediction_type) {
  return {{"beta_start", 0.00085}, {"beta_end", 0.012}, {"beta_schedule", "scaled_linear"},
          {"clip_sample", false},  {"steps_offset", 1}, {"prediction_type", prediction_type}};
}

// What a perfect model of the single image z0 predicts about z_t.
at::Tensor perfect_prediction(const NoiseSchedule& schedule, const at::Tensor& z0, const at::Tensor& z_t, double t) {
  const double abar = schedule.alpha_cumprod(static_cast<std::int64_t>(t));
  const at::Tensor epsilon = (z_t - std::sqrt(abar) * z0) / std::sqrt(1 - abar);
  if (schedule.prediction_type() == PredictionType::kEpsilon) return epsilon;
  if (schedule.prediction_type() == PredictionType::kSample) return z0;
  return std::sqrt(abar) * epsilon - std::sqrt(1 - abar) * z0;
}

}  // namespace

TEST(SchedulerContract, NoisingAndExactStepsRecoverTheSample) {
  torch::manual_seed(1);
  const at::Tensor z0 = torch::randn({2, 4, 3, 3}), noise = torch::randn({2, 4, 3, 3});
  for (const auto& entry : scheduler_registry().entries()) {
    for (const char* type : {"epsilon", "v_prediction", "sample"}) {
      const json config = config_with(type);
      const NoiseSchedule schedule(config);
      for (const std::size_t start : {0u, 5u}) {
        const auto scheduler = entry.make(config);
        scheduler->set_timesteps(10);
        const auto& timesteps = scheduler->timesteps();
        at::Tensor z = scheduler->add_noise(z0, noise, start);
        EXPECT_FALSE(z.allclose(z0, 0.1, 0.1));
        for (std::size_t i = start; i < timesteps.size(); ++i) {
          z = scheduler->step(perfect_prediction(schedule, z0, z, timesteps[i]), i, z);
        }
        EXPECT_TRUE(z.allclose(z0, 1e-3, 1e-3)) << entry.name << " " << type << " from step " << start;
      }
    }
  }
}

TEST(SchedulerContract, TimestepsDescendAndStayInsideTheTrainingRange) {
  for (const auto& entry : scheduler_registry().entries()) {
    for (const char* spacing : {"leading", "linspace", "trailing"}) {
      json config = config_with("epsilon");
      config["timestep_spacing"] = spacing;
      for (const std::int64_t steps : {1, 2, 7, 50}) {
        const auto scheduler = entry.make(config);
        scheduler->set_timesteps(steps);
        const auto& t = scheduler->timesteps();
        EXPECT_TRUE(std::is_sorted(t.rbegin(), t.rend())) << entry.name;
        EXPECT_TRUE(t.front() < 1000 && t.back() >= 0) << entry.name;
      }
    }
  }
}

TEST(SchedulerContract, ImpossibleStepCountsAndUnsupportedFieldsAreRefused) {
  for (const auto& entry : scheduler_registry().entries()) {
    const auto scheduler = entry.make(config_with("epsilon"));
    EXPECT_THROW(scheduler->set_timesteps(0), ConfigError);
    EXPECT_THROW(scheduler->set_timesteps(1001), ConfigError);
    const std::vector<std::pair<std::string, json>> unsupported{
        {"prediction_type", "flow"},    {"beta_schedule", "sigmoid"}, {"thresholding", true},
        {"timestep_spacing", "random"}, {"beta_start", "x"},          {"trained_betas", json::array({2.0})}};
    for (const auto& [key, value] : unsupported) {
      json config = config_with("epsilon");
      config[key] = value;
      try {
        entry.make(config);
        ADD_FAILURE() << key << " was accepted";
      } catch (const ConfigError& error) {
        EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
      }
    }
  }
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
