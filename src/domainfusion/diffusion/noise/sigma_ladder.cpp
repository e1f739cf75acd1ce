#include "domainfusion/diffusion/noise/sigma_ladder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace domainfusion {
namespace {

constexpr double kRho = 7;

std::vector<double> doubles(const at::Tensor& values) {
  const at::Tensor plain = values.to(at::kDouble).contiguous();
  return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
}

std::vector<double> spaced(double first, double last, std::int64_t count) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const double share = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0;
    values.push_back(first + share * (last - first));
  }
  return values;
}

// The quotient of polynomials that numpy takes log(1 + y) for: its logarithm of float32 is not the correctly rounded
// one, and fractional timesteps show it.
float horner(const std::array<float, 6>& coefficients, float y) {
  float sum = 0;
  for (std::size_t i = coefficients.size(); i-- > 0;) sum = std::fma(sum, y, coefficients[i]);
  return sum;
}

float numpy_log(float x) {
  constexpr std::array<float, 6> kNumerator{0.0f, 1.0f, 2.112677543f, 1.480000634f, 0.3808837741f, 0.02589979118f};
  constexpr std::array<float, 6> kDenominator{1.0f,          2.612677543f,  2.453006072f,
                                              0.9864942959f, 0.1546476375f, 0.005875095403f};
  int exponent = 0;
  float mantissa = 2 * std::frexp(x, &exponent);  // 1 … 2
  --exponent;
  if (mantissa > std::numbers::sqrt2_v<float>) {
    mantissa /= 2;
    ++exponent;
  }
  const float y = mantissa - 1;
  return std::fma(static_cast<float>(exponent), std::numbers::ln2_v<float>,
                  horner(kNumerator, y) / horner(kDenominator, y));
}

}  // namespace

SigmaLadder::SigmaLadder(const NoiseSchedule& schedule) {
  at::Tensor abar = schedule.alphas_cumprod().clone();
  if (abar[-1].item<float>() == 0) abar[-1] = std::ldexp(1.0, -24);
  const at::Tensor sigmas = ((1 - abar) / abar).sqrt();
  sigmas_ = doubles(sigmas);
  for (const double sigma : sigmas_) log_sigmas_.push_back(numpy_log(static_cast<float>(sigma)));
}

double SigmaLadder::at(double t) const {
  const double inside = std::clamp(t, 0.0, static_cast<double>(size() - 1));
  const auto low = std::min(static_cast<std::size_t>(inside), sigmas_.size() - 1);
  const std::size_t high = std::min(low + 1, sigmas_.size() - 1);
  return sigmas_[low] + (sigmas_[high] - sigmas_[low]) * (inside - static_cast<double>(low));
}

double SigmaLadder::timestep_of(double sigma) const {
  if (size() == 1) return 0;
  const auto log_sigma = static_cast<float>(std::log(std::max(sigma, 1e-10)));
  const auto above = std::upper_bound(log_sigmas_.begin(), log_sigmas_.end(), log_sigma);
  const std::ptrdiff_t low = std::clamp<std::ptrdiff_t>(above - log_sigmas_.begin() - 1, 0, size() - 2);
  const float below_value = log_sigmas_[static_cast<std::size_t>(low)];
  const float above_value = log_sigmas_[static_cast<std::size_t>(low) + 1];
  const float share = std::clamp((below_value - log_sigma) / (below_value - above_value), 0.0f, 1.0f);
  return static_cast<double>(1 - share) * static_cast<double>(low) +
         static_cast<double>(share) * static_cast<double>(low + 1);
}

std::int64_t SigmaLadder::count_above(double lambda_min) const {
  return std::count_if(log_sigmas_.begin(), log_sigmas_.end(),
                       [&](float log_sigma) { return -log_sigma >= lambda_min; });
}

void refuse_later_spacings(ModelConfigReader& reader) {
  for (const char* key : {"use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas"})
    reader.only(key, {false, nullptr});
}

std::vector<double> karras_sigmas(double highest, double lowest, std::int64_t count) {
  std::vector<double> sigmas = spaced(std::pow(highest, 1 / kRho), std::pow(lowest, 1 / kRho), count);
  for (double& sigma : sigmas) sigma = std::pow(sigma, kRho);
  return sigmas;
}

std::vector<double> log_spaced_sigmas(double highest_log, double lowest_log, std::int64_t count) {
  std::vector<double> sigmas = spaced(highest_log, lowest_log, count);
  for (double& sigma : sigmas) sigma = std::exp(sigma);
  return sigmas;
}

}  // namespace domainfusion
