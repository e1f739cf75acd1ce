#pragma once
// DPM-Solver and DPM-Solver++, multistep, orders 1 to 3, as ODE or SDE (Lu et al. 2022a, 2022b).

#include <deque>
#include <limits>

#include "domainfusion/diffusion/noise/sigma_ladder.h"
#include "domainfusion/diffusion/noise/timestep_spacing.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {

// Where the last step ends. From release 0.26 of diffusers on, files say it in final_sigmas_type: "sigma_min" is the
// level of t = 0, "zero" (the default there) is 0. A file without the field was written before, or by another class,
// and is read as by release 0.24: the level of t = 0, or the last of Karras's or Lu's levels once more.
enum class FinalSigma { kBefore026, kLowest, kZero };

// Fields of scheduler_config.json besides those of NoiseSchedule; the defaults are those of diffusers'
// DPMSolverMultistepScheduler.
struct DpmSolverConfig {
  std::int64_t solver_order = 2;
  bool predicts_data = true;      // algorithm_type: dpmsolver++ and sde-dpmsolver++; false: dpmsolver and sde-dpmsolver
  bool stochastic = false;        // the sde ones
  bool heun = false;              // solver_type: midpoint or heun
  bool lower_order_final = true;  // the last steps of fewer than 15 have a lower order
  bool euler_at_final = false;    // the last step is of first order
  bool use_karras_sigmas = false, use_lu_lambdas = false;
  double lambda_min_clipped = -std::numeric_limits<double>::infinity();
  FinalSigma final_sigma = FinalSigma::kBefore026;
  TimestepSpacing timestep_spacing = TimestepSpacing::kLinspace;
  std::int64_t steps_offset = 0;

  // ConfigError naming the field whose value is not supported.
  static DpmSolverConfig from_json(const nlohmann::json& object);
};

class DpmSolverScheduler : public Scheduler {
 public:
  explicit DpmSolverScheduler(const nlohmann::json& scheduler_config);

  void set_timesteps(std::int64_t steps) override;
  const std::vector<double>& timesteps() const override { return timesteps_; }
  std::vector<double> sigmas() const override { return sigmas_; }
  bool needs_noise(std::size_t /*index*/) const override { return config_.stochastic; }
  SchedulerStep step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& noise = {}) override;
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const override;

 private:
  // A noise level: z = alpha z0 + sigma epsilon, alpha^2 + sigma^2 = 1, lambda = log(alpha / sigma). In float32, as all
  // that follows from it: diffusers' third-order terms are differences of nearly equal numbers and show its rounding.
  struct Level {
    float alpha, sigma, lambda;
  };
  Level level(std::size_t index) const;
  std::vector<double> plain_timesteps(std::int64_t steps) const;
  double final_sigma() const;
  std::size_t possible_order(std::size_t index) const;
  std::size_t order_of_step(std::size_t index) const;
  at::Tensor update(std::size_t index, std::size_t order, const at::Tensor& sample) const;
  struct Derivatives {
    at::Tensor first, second;
  };
  Derivatives derivatives(std::size_t index, std::size_t order, float h) const;

  NoiseSchedule schedule_;
  DpmSolverConfig config_;
  SigmaLadder ladder_;
  std::vector<double> timesteps_, sigmas_;
  std::deque<at::Tensor> history_;  // converted predictions of the last steps, newest first
};

}  // namespace domainfusion
