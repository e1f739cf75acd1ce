#include "domainfusion/diffusion/schedulers/ddim.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "domainfusion/diffusion/noise/noise_schedule.h"

namespace domainfusion {

// Song et al. 2021, equations 12 and 16, term by term.
TEST(Ddim, AStochasticStepIsThePublishedFormula) {
  const nlohmann::json config{{"beta_start", 0.00085},     {"beta_end", 0.012}, {"beta_schedule", "scaled_linear"},
                              {"clip_sample", false},      {"steps_offset", 1}, {"prediction_type", "epsilon"},
                              {"set_alpha_to_one", false}, {"eta", 1.0}};
  DdimScheduler scheduler(config);
  scheduler.set_timesteps(10);
  torch::manual_seed(4);
  const at::Tensor z = torch::randn({2, 4, 3, 3}), epsilon = torch::randn_like(z), noise = torch::randn_like(z);
  const auto t = static_cast<std::int64_t>(scheduler.timesteps()[3]);
  const NoiseSchedule schedule(config);
  const double a = schedule.alpha_cumprod(t), after = schedule.alpha_cumprod(t - 100);
  const double sigma = std::sqrt((1 - after) / (1 - a)) * std::sqrt(1 - a / after);
  const at::Tensor z0 = (z - std::sqrt(1 - a) * epsilon) / std::sqrt(a);
  const at::Tensor expected = std::sqrt(after) * z0 + std::sqrt(1 - after - sigma * sigma) * epsilon + sigma * noise;
  EXPECT_TRUE(torch::allclose(scheduler.step(epsilon, 3, z, noise).sample, expected, 1e-5, 1e-6));
}

}  // namespace domainfusion
