#include "domainfusion/metrics/paired_test.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr double kRounding = 1e-9;  // of the values, below which a scatter is none

// Lentz's method keeps numerator and denominator away from 0.
double away_from_zero(double value) { return std::abs(value) < 1e-300 ? 1e-300 : value; }

// Converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m <= 1000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1;
    for (const double term : {even, odd}) {
      d = 1 / away_from_zero(1 + term * d);
      c = away_from_zero(1 + term / c);
      factor = d * c;
      fraction *= factor;
    }
    if (std::abs(factor - 1) < 1e-15) break;
  }
  return fraction;
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  check<ConfigError>(a > 0 && b > 0 && x >= 0 && x <= 1,
                     "incomplete beta of a = {}, b = {}, x = {}: expected a, b > 0, x in [0, 1]", a, b, x);
  if (x == 0 || x == 1) return x;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double two_sided_p_value(double t, double freedom) {
  return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double critical_t(double p, double freedom) {
  check<ConfigError>(p > 0 && p < 1 && freedom > 0, "the t of probability {} with {} degrees of freedom", p, freedom);
  double low = 0, high = 1;
  while (two_sided_p_value(high, freedom) > p) high *= 2;
  while (high - low > 1e-12 * high) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    (two_sided_p_value(middle, freedom) > p ? low : high) = middle;
  }
  return high;
}

PairedTest paired_test(std::span<const double> a, std::span<const double> b) {
  check<ConfigError>(a.size() == b.size() && !a.empty(),
                     "a paired test of {} and {} values: expected as many, 1 at least", a.size(), b.size());
  const auto n = static_cast<double>(a.size());
  PairedTest test;
  for (std::size_t i = 0; i < a.size(); ++i) test.mean_difference += (b[i] - a[i]) / n;
  double squares = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    squares += std::pow(b[i] - a[i] - test.mean_difference, 2);
    largest = std::max({largest, std::abs(a[i]), std::abs(b[i])});
  }
  if (a.size() > 1) test.standard_error = std::sqrt(squares / (n - 1) / n);
  if (a.size() < kFewestPairs || !(test.standard_error > kRounding * largest)) return test;
  test.t = test.mean_difference / test.standard_error;
  test.p = two_sided_p_value(*test.t, n - 1);
  test.half_interval = test.standard_error * critical_t(0.05, n - 1);
  return test;
}

}  // namespace domainfusion
