#pragma once
// The forward process of a diffusion model: q(z_t | z_0) = N(sqrt(abar_t) z_0, (1 - abar_t) I) (DDPM, Ho et al. 2020),
// and what the model predicts about it.

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <string>

namespace domainfusion {

enum class PredictionType { kEpsilon, kVelocity, kSample };

class NoiseSchedule {
 public:
  // From the fields num_train_timesteps, beta_start, beta_end, beta_schedule (linear, scaled_linear, squaredcos_cap_v2,
  // sigmoid), trained_betas, rescale_betas_zero_snr and prediction_type (epsilon, v_prediction, sample) of a
  // scheduler_config.json; absent ones take diffusers' defaults. ConfigError naming the field whose value is not
  // supported: also where no signal is left at the last timestep and noise is predicted there.
  explicit NoiseSchedule(const nlohmann::json& scheduler_config);

  std::int64_t train_timesteps() const { return alphas_cumprod_T_.size(0); }
  PredictionType prediction_type() const { return prediction_type_; }
  const at::Tensor& alphas_cumprod() const { return alphas_cumprod_T_; }  // abar: float32 [T], CPU
  double alpha_cumprod(std::int64_t t) const;                             // abar_t, 0 <= t < T

  // sqrt(abar_t) z0 + sqrt(1 - abar_t) noise. z0, noise [N, …]; t int64 [N] in 0 … T-1, else ShapeError.
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, const at::Tensor& t_N) const;
  // The same with one t for all items.
  at::Tensor add_noise(const at::Tensor& z0, const at::Tensor& noise, std::int64_t t) const;
  // v = sqrt(abar_t) noise - sqrt(1 - abar_t) z0 (Salimans and Ho 2022).
  at::Tensor velocity(const at::Tensor& z0, const at::Tensor& noise, const at::Tensor& t_N) const;
  // The model's prediction about z_t as a prediction of the noise. For kSample, abar_t < 1 is needed.
  at::Tensor epsilon_of(const at::Tensor& prediction, const at::Tensor& z_t, const at::Tensor& t_N) const;

 private:
  struct Roots {
    at::Tensor signal, noise;  // sqrt(abar_t), sqrt(1 - abar_t), shaped [N, 1, …]
  };
  Roots roots_at(const at::Tensor& t_N, const at::Tensor& like) const;

  at::Tensor alphas_cumprod_T_;
  PredictionType prediction_type_;
};

}  // namespace domainfusion
