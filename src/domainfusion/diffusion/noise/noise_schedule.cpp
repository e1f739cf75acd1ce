#include "domainfusion/diffusion/noise/noise_schedule.h"

#include <torch/types.h>

#include <cmath>
#include <numbers>

#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr const char* kSubject = "scheduler_config.json";

// 1 - abar(t2)/abar(t1) with abar(t) = cos^2((t + 0.008) / 1.008 * pi/2), at most 0.999 (Nichol and Dhariwal 2021).
at::Tensor cosine_betas(std::int64_t count) {
  const auto abar = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2), 2); };
  const at::Tensor betas = torch::empty({count}, torch::kFloat32);
  for (std::int64_t i = 0; i < count; ++i) {
    const double t1 = static_cast<double>(i) / count, t2 = static_cast<double>(i + 1) / count;
    betas[i] = std::min(1 - abar(t2) / abar(t1), 0.999);
  }
  return betas;
}

at::Tensor trained_betas(ModelConfigReader& reader, const nlohmann::json& list) {
  std::vector<float> values;
  for (const auto& value : list) {
    if (!value.is_number() || !(value > 0.0) || !(value < 1.0))
      reader.refuse("trained_betas", "numbers between 0 and 1");
    values.push_back(value.get<float>());
  }
  if (values.empty()) reader.refuse("trained_betas", "at least one number");
  return torch::tensor(values);
}

at::Tensor betas_of(ModelConfigReader& reader, const nlohmann::json& config) {
  const std::int64_t count = reader.integer("num_train_timesteps", 1000, 1, 1'000'000);
  const double first = reader.real("beta_start", 0.0001, 1e-12, 0.999999),
               last = reader.real("beta_end", 0.02, 1e-12, 0.999999);
  if (config.contains("trained_betas") && config["trained_betas"].is_array()) {
    return trained_betas(reader, config["trained_betas"]);
  }
  reader.only("trained_betas", {nullptr});
  const std::string schedule = reader.text("beta_schedule", "linear");
  if (schedule == "linear") return torch::linspace(first, last, count, torch::kFloat32);
  if (schedule == "scaled_linear")
    return torch::linspace(std::sqrt(first), std::sqrt(last), count, torch::kFloat32).square();
  if (schedule == "squaredcos_cap_v2") return cosine_betas(count);
  if (schedule == "sigmoid") return torch::linspace(-6, 6, count, torch::kFloat32).sigmoid() * (last - first) + first;
  reader.refuse("beta_schedule", "\"linear\", \"scaled_linear\", \"squaredcos_cap_v2\" or \"sigmoid\"");
}

// Shifts and scales sqrt(abar) so that the last one is 0 (Lin et al. 2023, algorithm 1).
at::Tensor rescaled_to_zero_snr(const at::Tensor& betas) {
  at::Tensor root = (1.0 - betas).cumprod(0).sqrt();
  const at::Tensor first = root[0].clone(), last = root[-1].clone();
  root = (root - last) * (first / (first - last));
  const at::Tensor abar = root.square();
  return 1.0 - at::cat({abar.slice(0, 0, 1), abar.slice(0, 1) / abar.slice(0, 0, -1)});
}

PredictionType prediction_type_of(ModelConfigReader& reader) {
  const std::string type = reader.text("prediction_type", "epsilon");
  if (type == "epsilon") return PredictionType::kEpsilon;
  if (type == "v_prediction") return PredictionType::kVelocity;
  if (type == "sample") return PredictionType::kSample;
  reader.refuse("prediction_type", "\"epsilon\", \"v_prediction\" or \"sample\"");
}

// What schedulers divide by: the noise of the first timestep, and the signal of the last but one.
void check_levels(ModelConfigReader& reader, const at::Tensor& abar_T) {
  const std::int64_t count = abar_T.size(0);
  if (abar_T[0].item<float>() >= 1)
    reader.refuse("beta_start", "a number that float32 tells from 0 beside 1, 1e-7 say");
  if (count > 1 && !(abar_T[count - 2].item<float>() > 0))
    reader.refuse("beta_end", "one that leaves some signal before the last timestep");
}

}  // namespace

NoiseSchedule::NoiseSchedule(const nlohmann::json& scheduler_config) {
  ModelConfigReader reader(scheduler_config, kSubject);
  at::Tensor betas = betas_of(reader, scheduler_config);
  if (reader.boolean("rescale_betas_zero_snr", false)) betas = rescaled_to_zero_snr(betas);
  alphas_cumprod_T_ = (1.0 - betas).cumprod(0);
  check_levels(reader, alphas_cumprod_T_);
  prediction_type_ = prediction_type_of(reader);
  check<ConfigError>(prediction_type_ != PredictionType::kEpsilon || alphas_cumprod_T_[-1].item<float>() > 0,
                     "{}: at the last timestep there is no signal left (rescale_betas_zero_snr), about which "
                     "prediction_type = \"epsilon\" says nothing: name the type that the model was trained for "
                     "(v_prediction, as a rule), or set rescale_betas_zero_snr to false",
                     kSubject);
}

double NoiseSchedule::alpha_cumprod(std::int64_t t) const { return alphas_cumprod_T_[t].item<float>(); }

NoiseSchedule::Roots NoiseSchedule::roots_at(const at::Tensor& t_N, const at::Tensor& like) const {
  check<ShapeError>(t_N.dim() == 1 && t_N.size(0) == like.size(0) && t_N.scalar_type() == at::kLong,
                    "timesteps [{}] {}: expected int64, one for each of {} items", fmt::join(t_N.sizes(), ", "),
                    at::toString(t_N.scalar_type()), like.size(0));
  if (t_N.numel() > 0) {
    const auto low = t_N.min().item<std::int64_t>(), high = t_N.max().item<std::int64_t>();
    check<ShapeError>(low >= 0 && high < train_timesteps(), "timesteps {} … {}: expected 0 … {}", low, high,
                      train_timesteps() - 1);
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = -1;
  const at::Tensor abar = alphas_cumprod_T_.index_select(0, t_N.cpu()).view(shape).to(like.options());
  return {abar.sqrt(), (1.0 - abar).sqrt()};
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& z0, const at::Tensor& noise, const at::Tensor& t_N) const {
  const Roots roots = roots_at(t_N, z0);
  return roots.signal * z0 + roots.noise * noise;
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::int64_t t) const {
  return add_noise(z0, noise, torch::full({z0.size(0)}, t, torch::kLong));
}

at::Tensor NoiseSchedule::velocity(const at::Tensor& z0, const at::Tensor& noise, const at::Tensor& t_N) const {
  const Roots roots = roots_at(t_N, z0);
  return roots.signal * noise - roots.noise * z0;
}

at::Tensor NoiseSchedule::epsilon_of(const at::Tensor& prediction, const at::Tensor& z_t, const at::Tensor& t_N) const {
  if (prediction_type_ == PredictionType::kEpsilon) return prediction;
  const Roots roots = roots_at(t_N, z_t);
  if (prediction_type_ == PredictionType::kVelocity) return roots.signal * prediction + roots.noise * z_t;
  return (z_t - roots.signal * prediction) / roots.noise;
}

}  // namespace domainfusion
