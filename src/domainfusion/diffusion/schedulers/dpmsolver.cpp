#include "domainfusion/diffusion/schedulers/dpmsolver.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/noise/prediction_parts.h"

namespace domainfusion {
namespace {

constexpr std::size_t kFewSteps = 15;

void read_algorithm(ModelConfigReader& reader, DpmSolverConfig& c) {
  const std::string type = reader.text("algorithm_type", "dpmsolver++");
  // diffusers builds "deis", the word of a sibling class, as dpmsolver++.
  c.predicts_data = type == "dpmsolver++" || type == "sde-dpmsolver++" || type == "deis";
  c.stochastic = type == "sde-dpmsolver++" || type == "sde-dpmsolver";
  if (!c.predicts_data && type != "dpmsolver" && type != "sde-dpmsolver") {
    reader.refuse("algorithm_type", "\"dpmsolver++\", \"dpmsolver\", \"sde-dpmsolver++\" or \"sde-dpmsolver\"");
  }
  if (c.stochastic && c.solver_order > 2) reader.refuse("solver_order", "1 or 2 with an algorithm_type of sde");
}

bool is_heun(ModelConfigReader& reader) {
  // The words of sibling classes mean midpoint here, as in diffusers.
  reader.only("solver_type", {"midpoint", "heun", "logrho", "bh1", "bh2"});
  return reader.text("solver_type", "midpoint") == "heun";
}

FinalSigma final_sigma_of(ModelConfigReader& reader, bool predicts_data) {
  const std::string type = reader.text("final_sigmas_type", "");
  if (type.empty()) return FinalSigma::kBefore026;
  if (type == "sigma_min") return FinalSigma::kLowest;
  if (type != "zero") reader.refuse("final_sigmas_type", "\"zero\" or \"sigma_min\"");
  if (!predicts_data) reader.refuse("final_sigmas_type", "\"sigma_min\" with this algorithm_type");
  return FinalSigma::kZero;
}

// Other words are of DDPM's field of the same name and mean nothing here.
void refuse_learned_variance(const nlohmann::json& object, ModelConfigReader& reader) {
  const nlohmann::json type = object.value("variance_type", nlohmann::json());
  if (type == "learned" || type == "learned_range")
    reader.refuse("variance_type", "null: the U-Net predicts no variance");
}

// libtorch's, as in diffusers: the standard library's differ in the last bit, which the third-order terms show.
float exp_of(float x) { return at::scalar_tensor(x, at::kFloat).exp().item<float>(); }
float log_of(float x) { return at::scalar_tensor(x, at::kFloat).log().item<float>(); }

// The last step of Karras's levels has h = 0: there a series takes over.
bool is_tiny(float h) { return std::abs(h) < 1e-6f; }

// (e^x - 1) / x - 1.
float slope_weight(float x) { return is_tiny(x) ? x / 2 : (exp_of(x) - 1) / x - 1; }
// (e^x - 1 - x) / x^2 - 1/2.
float curvature_weight(float x) { return is_tiny(x) ? x / 6 : (exp_of(x) - 1 - x) / (x * x) - 0.5f; }

}  // namespace

DpmSolverConfig DpmSolverConfig::from_json(const nlohmann::json& object) {
  ModelConfigReader reader(object, "scheduler_config.json (dpmsolver)");
  DpmSolverConfig c;
  c.solver_order = reader.integer("solver_order", c.solver_order, 1, 3);
  read_algorithm(reader, c);
  c.heun = is_heun(reader);
  c.lower_order_final = reader.boolean("lower_order_final", c.lower_order_final);
  c.euler_at_final = reader.boolean("euler_at_final", c.euler_at_final);
  c.use_karras_sigmas = reader.boolean("use_karras_sigmas", c.use_karras_sigmas);
  c.use_lu_lambdas = reader.boolean("use_lu_lambdas", c.use_lu_lambdas);
  // -Infinity, which JSON does not have, is read as null.
  if (object.contains("lambda_min_clipped") && !object["lambda_min_clipped"].is_null()) {
    c.lambda_min_clipped = reader.real("lambda_min_clipped", 0, -1e6, 1e6);
  }
  c.final_sigma = final_sigma_of(reader, c.predicts_data);
  c.timestep_spacing = timestep_spacing_of(reader, c.timestep_spacing);
  c.steps_offset = reader.integer("steps_offset", c.steps_offset, 0, 1000);
  refuse_learned_variance(object, reader);
  refuse_thresholding(reader);
  refuse_later_spacings(reader);
  return c;
}

DpmSolverScheduler::DpmSolverScheduler(const nlohmann::json& scheduler_config)
    : schedule_(scheduler_config), config_(DpmSolverConfig::from_json(scheduler_config)), ladder_(schedule_) {}

// As many as steps, of a spacing with one point more whose last, t = 0 or the offset, is where the steps end.
std::vector<double> DpmSolverScheduler::plain_timesteps(std::int64_t steps) const {
  const std::int64_t known = ladder_.count_above(config_.lambda_min_clipped);  // the noisiest are left out
  check<ConfigError>(known >= 1, "lambda_min_clipped = {} leaves no timestep: lower it", config_.lambda_min_clipped);
  if (config_.timestep_spacing == TimestepSpacing::kTrailing) {
    const double train = static_cast<double>(schedule_.train_timesteps());
    return trailing_timesteps(static_cast<double>(known), train / static_cast<double>(steps));
  }
  check<ConfigError>(config_.timestep_spacing != TimestepSpacing::kLeading || steps < known,
                     "dpmsolver: {} steps with timestep_spacing = \"leading\": expected 1 … {}", steps, known - 1);
  std::vector<double> timesteps = config_.timestep_spacing == TimestepSpacing::kLeading
                                      ? multiples_down(known / (steps + 1), steps + 1, config_.steps_offset)
                                      : rounded(linspace_down(static_cast<double>(known - 1), steps + 1));
  timesteps.pop_back();
  return timesteps;
}

void DpmSolverScheduler::set_timesteps(std::int64_t steps) {
  check_steps(steps, schedule_.train_timesteps());
  timesteps_ = plain_timesteps(steps);
  sigmas_.clear();
  if (config_.use_karras_sigmas) {
    sigmas_ = karras_sigmas(ladder_.highest(), ladder_.lowest(), steps);
  } else if (config_.use_lu_lambdas) {
    sigmas_ = log_spaced_sigmas(ladder_.highest_log(), ladder_.lowest_log(), steps);
  } else {
    for (const double t : timesteps_) sigmas_.push_back(ladder_.at(t));
  }
  if (config_.use_karras_sigmas || config_.use_lu_lambdas) {
    timesteps_.clear();
    for (const double sigma : sigmas_) timesteps_.push_back(std::nearbyint(ladder_.timestep_of(sigma)));
  }
  check_timesteps(timesteps_, schedule_.train_timesteps(), config_.steps_offset);
  sigmas_.push_back(final_sigma());
  for (double& sigma : sigmas_) sigma = static_cast<double>(static_cast<float>(sigma));
  history_.clear();
}

double DpmSolverScheduler::final_sigma() const {
  if (config_.final_sigma == FinalSigma::kZero) return 0;
  const bool repeats =
      config_.final_sigma == FinalSigma::kBefore026 && (config_.use_karras_sigmas || config_.use_lu_lambdas);
  return repeats ? sigmas_.back() : ladder_.lowest();
}

DpmSolverScheduler::Level DpmSolverScheduler::level(std::size_t index) const {
  check<ConfigError>(index < sigmas_.size(), "noise level {} of {}: call set_timesteps first", index, sigmas_.size());
  const auto ratio = static_cast<float>(sigmas_[index]);
  const float alpha = 1 / std::sqrt(ratio * ratio + 1), sigma = ratio * alpha;
  return {alpha, sigma, log_of(alpha) - log_of(sigma)};
}

// Differences are taken of predictions at different levels alone: with as many steps as timesteps, linspace has one
// twice.
std::size_t DpmSolverScheduler::possible_order(std::size_t index) const {
  for (std::size_t order = 1; order < history_.size(); ++order) {
    if (sigmas_[index - order] == sigmas_[index - order + 1]) return order;
  }
  return history_.size();
}

std::size_t DpmSolverScheduler::order_of_step(std::size_t index) const {
  const std::size_t possible = possible_order(index), last = timesteps_.size() - 1;
  const bool careful = config_.lower_order_final && timesteps_.size() < kFewSteps;
  if (index == last && (config_.euler_at_final || careful || config_.final_sigma == FinalSigma::kZero)) return 1;
  return index + 1 == last && careful ? std::min<std::size_t>(possible, 2) : possible;
}

SchedulerStep DpmSolverScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                       const at::Tensor& noise) {
  const Level from = level(index), to = level(index + 1);
  const PredictionParts parts =
      split_prediction(schedule_.prediction_type(), prediction, sample, from.alpha, from.sigma);
  history_.push_front(config_.predicts_data ? parts.z0 : parts.epsilon);
  if (history_.size() > static_cast<std::size_t>(config_.solver_order)) history_.pop_back();
  at::Tensor next = update(index, order_of_step(index), sample);
  if (needs_noise(index)) {
    const float h = to.lambda - from.lambda;
    const float variance = std::max(config_.predicts_data ? 1 - exp_of(-2 * h) : exp_of(2 * h) - 1, 0.0f);
    next = next + to.sigma * std::sqrt(variance) * given_noise(noise, "dpmsolver with an algorithm_type of sde");
  }
  return {next, parts.z0};
}

// The exact solution for a constant prediction, plus terms for its first two derivatives along lambda. Data prediction
// is noise prediction with the roles of alpha and sigma exchanged and lambda reversed; an SDE weighs predictions twice.
at::Tensor DpmSolverScheduler::update(std::size_t index, std::size_t order, const at::Tensor& sample) const {
  const Level from = level(index), to = level(index + 1);
  const float h = to.lambda - from.lambda;
  const float x = !config_.predicts_data ? h : config_.stochastic ? -2 * h : -h;
  const float scale = config_.predicts_data ? to.alpha : (config_.stochastic ? 2 : 1) * to.sigma;
  const float faded = config_.predicts_data && config_.stochastic ? exp_of(-h) : 1;
  const float kept = config_.predicts_data ? to.sigma / from.sigma * faded : to.alpha / from.alpha;
  const float value = -scale * (exp_of(x) - 1);
  const at::Tensor next = kept * sample + value * history_[0];
  if (order == 1) return next;
  const Derivatives d = derivatives(index, order, h);
  const float slope = order == 3 || config_.heun ? -scale * slope_weight(x) : value / 2;
  return order == 2 ? next + slope * d.first : next + slope * d.first - scale * curvature_weight(x) * d.second;
}

// Of the predictions along lambda, in units of this step's h, by divided differences.
DpmSolverScheduler::Derivatives DpmSolverScheduler::derivatives(std::size_t index, std::size_t order, float h) const {
  const float h0 = level(index).lambda - level(index - 1).lambda;
  const at::Tensor newest = h / h0 * (history_[0] - history_[1]);
  if (order == 2) return {newest, {}};
  const float h1 = level(index - 1).lambda - level(index - 2).lambda;
  const at::Tensor change = newest - h / h1 * (history_[1] - history_[2]);
  return {newest + h0 / (h0 + h1) * change, h / (h0 + h1) * change};
}

at::Tensor DpmSolverScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  const Level at = level(index);
  return at.alpha * z0 + at.sigma * noise;
}

}  // namespace domainfusion
