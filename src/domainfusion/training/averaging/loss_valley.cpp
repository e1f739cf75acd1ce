#include "domainfusion/training/averaging/loss_valley.h"

#include <algorithm>
#include <numeric>

namespace domainfusion {

std::int64_t LossValley::oldest_of(std::int64_t window) const { return std::max<std::int64_t>(0, segments() - window); }

double LossValley::smallest_loss_from(std::int64_t segment) const {
  return *std::min_element(losses_.begin() + segment, losses_.end());
}

std::int64_t LossValley::oldest_needed() const {
  return oldest_of(std::max(options_.n_converge, options_.n_tolerance));
}

std::vector<std::int64_t> LossValley::close_segment(double loss) {
  if (dead_) return {};
  losses_.push_back(loss);
  if (!converged_) return converge();
  const std::int64_t oldest = oldest_of(options_.n_tolerance);
  if (oldest < *converged_) return {};
  dead_ = smallest_loss_from(oldest) > threshold_;
  if (dead_) return {};
  return {oldest};
}

std::vector<std::int64_t> LossValley::converge() {
  const std::int64_t oldest = oldest_of(options_.n_converge);
  if (segments() < options_.n_converge || losses_[static_cast<std::size_t>(oldest)] > smallest_loss_from(oldest))
    return {};
  converged_ = oldest;
  const double sum = std::accumulate(losses_.begin() + oldest, losses_.end(), 0.0);
  threshold_ = sum / static_cast<double>(options_.n_converge) * (1 + options_.tolerance_ratio);
  std::vector<std::int64_t> folded;
  if (options_.n_tolerance == options_.n_converge) return folded;
  std::int64_t first = oldest, last = oldest + options_.n_converge - options_.n_tolerance;
  if (options_.n_tolerance > options_.n_converge) {
    first = oldest_of(options_.n_tolerance);
    last = std::min(first + options_.n_tolerance - options_.n_converge, segments() - 1);
    for (std::int64_t i = last; i >= first; --i) {
      if (losses_[static_cast<std::size_t>(i)] <= threshold_) continue;
      first = i + 1;
      break;
    }
  }
  for (std::int64_t i = first + 1; i <= last; ++i) folded.push_back(i);
  return folded;
}

std::vector<std::int64_t> LossValley::remaining() const {
  std::vector<std::int64_t> folded;
  if (!converged_ || dead_) return folded;
  for (std::int64_t i = oldest_of(options_.n_tolerance) + 1; i < segments(); ++i) {
    if (smallest_loss_from(i) > threshold_) break;
    folded.push_back(i);
  }
  return folded;
}

nlohmann::json LossValley::state() const {
  return {{"losses", losses_}, {"converged", converged_.value_or(-1)}, {"threshold", threshold_}, {"dead", dead_}};
}

void LossValley::load(const nlohmann::json& state) {
  losses_ = state.at("losses").get<std::vector<double>>();
  const std::int64_t converged = state.at("converged");
  converged_ = converged < 0 ? std::nullopt : std::optional(converged);
  threshold_ = state.at("threshold");
  dead_ = state.at("dead");
}

}  // namespace domainfusion
