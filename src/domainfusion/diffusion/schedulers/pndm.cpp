#include "domainfusion/diffusion/schedulers/pndm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr std::size_t kOrder = 4;

// The class has no such field: diffusers passes it over.
nlohmann::json without_zero_snr(nlohmann::json config) {
  config.erase("rescale_betas_zero_snr");
  return config;
}

// All but the last step, its second-to-last again, the last: the second step stands twice.
std::vector<double> second_doubled(std::vector<double> descending) {
  if (descending.size() > 1) descending.insert(descending.begin() + 1, descending[1]);
  return descending;
}

// The highest four timesteps with their midpoints, as three Runge-Kutta steps of four calls each see them: d, (c+h)²,
// c², (b+h)², b², (a+h)², a.
std::vector<double> runge_kutta_timesteps(const std::vector<double>& descending, double half_gap) {
  std::vector<double> result{descending[0]};
  for (std::size_t i = 1; i < kOrder; ++i) {
    const double midpoint = descending[i] + half_gap;
    result.insert(result.end(), {midpoint, midpoint, descending[i], descending[i]});
  }
  result.pop_back();
  return result;
}

}  // namespace

PndmScheduler::PndmScheduler(const nlohmann::json& scheduler_config) : schedule_(without_zero_snr(scheduler_config)) {
  ModelConfigReader reader(scheduler_config, "scheduler_config.json (pndm)");
  skip_prk_steps_ = reader.boolean("skip_prk_steps", false);
  set_alpha_to_one_ = reader.boolean("set_alpha_to_one", false);
  steps_offset_ = reader.integer("steps_offset", 0, 0, 1000);
  spacing_ = timestep_spacing_of(reader, TimestepSpacing::kLeading);
  reader.only("prediction_type", {"epsilon", "v_prediction"});
}

void PndmScheduler::set_timesteps(std::int64_t steps) {
  const std::vector<double> spaced = spaced_timesteps(spacing_, schedule_.train_timesteps(), steps, steps_offset_);
  gap_ = schedule_.train_timesteps() / steps;
  if (skip_prk_steps_) {
    timesteps_ = second_doubled(spaced);
    runge_kutta_calls_ = 0;
  } else {
    check<ConfigError>(spaced.size() >= kOrder,
                       "pndm with {} steps: expected at least {}, unless skip_prk_steps is true", steps, kOrder);
    timesteps_ = runge_kutta_timesteps(spaced, static_cast<double>(gap_ / 2));
    runge_kutta_calls_ = timesteps_.size();
    timesteps_.insert(timesteps_.end(), spaced.begin() + (kOrder - 1), spaced.end());
  }
  check_timesteps(timesteps_, schedule_.train_timesteps(), steps_offset_);
  calls_ = 0;
  predictions_.clear();
  weighted_prediction_ = start_sample_ = at::Tensor();
}

std::size_t PndmScheduler::set_timesteps_from(std::int64_t steps, double strength) {
  const bool of_the_file = std::exchange(skip_prk_steps_, skip_prk_steps_ || strength < 1);
  const std::size_t start = Scheduler::set_timesteps_from(steps, strength);
  skip_prk_steps_ = of_the_file;
  return start;
}

SchedulerStep PndmScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                  const at::Tensor& /*noise*/) {
  const auto t = static_cast<std::int64_t>(timestep_at(timesteps_, index));
  check<ConfigError>(runge_kutta_calls_ == 0 || index == calls_,
                     "pndm with skip_prk_steps = false takes its steps from the first one on, not from step {}", index);
  const at::Tensor next =
      calls_ < runge_kutta_calls_ ? runge_kutta_step(prediction, t, sample) : multistep_step(prediction, t, sample);
  ++calls_;
  return {next, {}};
}

// Four calls make a step of the weights 1/6, 1/3, 1/3, 1/6; each moves from the step's start.
at::Tensor PndmScheduler::runge_kutta_step(const at::Tensor& prediction, std::int64_t t, const at::Tensor& sample) {
  const std::size_t call = calls_ % 4;
  const std::int64_t to = call % 2 == 0 ? t - gap_ / 2 : t;
  const auto from = static_cast<std::int64_t>(timesteps_[calls_ / 4 * 4]);
  if (call == 0) {
    predictions_.push_back(prediction);
    start_sample_ = sample;
    weighted_prediction_ = prediction / 6;
    return moved(start_sample_, from, to, prediction);
  }
  weighted_prediction_ = weighted_prediction_ + prediction / (call == 3 ? 6 : 3);
  return moved(start_sample_, from, to, call == 3 ? weighted_prediction_ : prediction);
}

at::Tensor PndmScheduler::multistep_step(const at::Tensor& prediction, std::int64_t t, const at::Tensor& sample) {
  if (calls_ == 1) {  // the first step once more, with the mean of both ends
    const at::Tensor start = start_sample_;
    start_sample_ = at::Tensor();
    return moved(start, t + gap_, t, (prediction + predictions_.back()) / 2);
  }
  if (calls_ == 0) start_sample_ = sample;
  predictions_.push_back(prediction);
  if (predictions_.size() > kOrder) predictions_.erase(predictions_.begin());
  return moved(sample, t, t - gap_, combined_prediction());
}

// Adams-Bashforth of the order that the history allows.
at::Tensor PndmScheduler::combined_prediction() const {
  const auto e = [this](std::size_t back) { return predictions_[predictions_.size() - back]; };
  switch (predictions_.size()) {
    case 1:
      return e(1);
    case 2:
      return (3 * e(1) - e(2)) / 2;
    case 3:
      return (23 * e(1) - 16 * e(2) + 5 * e(3)) / 12;
    default:
      return (55 * e(1) - 59 * e(2) + 37 * e(3) - 9 * e(4)) / 24;
  }
}

// Formula (9) of the paper.
at::Tensor PndmScheduler::moved(const at::Tensor& sample, std::int64_t from, std::int64_t to,
                                const at::Tensor& prediction) const {
  const std::int64_t last = schedule_.train_timesteps() - 1;
  const double alpha = schedule_.alpha_cumprod(std::min(from, last));
  const double after = to >= 0             ? schedule_.alpha_cumprod(std::min(to, last))
                       : set_alpha_to_one_ ? 1.0
                                           : schedule_.alpha_cumprod(0);
  const at::Tensor epsilon = schedule_.prediction_type() == PredictionType::kVelocity
                                 ? std::sqrt(alpha) * prediction + std::sqrt(1 - alpha) * sample
                                 : prediction;
  const double denominator = alpha * std::sqrt(1 - after) + std::sqrt(alpha * (1 - alpha) * after);
  return std::sqrt(after / alpha) * sample - (after - alpha) / denominator * epsilon;
}

at::Tensor PndmScheduler::add_noise(const at::Tensor& z0, const at::Tensor& noise, std::size_t index) const {
  return schedule_.add_noise(z0, noise, static_cast<std::int64_t>(timestep_at(timesteps_, index)));
}

}  // namespace domainfusion
