#pragma once
// Student's paired t-test: whether two systems differ by more than their differences scatter.

#include <optional>
#include <span>

namespace domainfusion {

// I_x(a, b), the regularised incomplete beta function, for a, b > 0 and x in [0, 1], to about 1e-12, by its continued
// fraction (Numerical Recipes, section 6.4). ConfigError for other arguments.
double incomplete_beta(double a, double b, double x);

// P(|T| >= |t|) for Student's t with `freedom` > 0 degrees of freedom.
double two_sided_p_value(double t, double freedom);

// The t that is exceeded in size with probability `p` in (0, 1): two_sided_p_value(t, freedom) == p. ConfigError for
// other arguments.
double critical_t(double p, double freedom);

// Fewer differences say next to nothing of their scatter.
constexpr std::size_t kFewestPairs = 3;

struct PairedTest {
  double mean_difference = 0;  // of b - a
  double standard_error = 0;   // of that mean: sample standard deviation / sqrt(n); 0 for one pair
  // t and its two-sided p; nothing with fewer than kFewestPairs pairs, or where the differences are equal (to 1e-9 of
  // the values): accuracies come in steps of one image, so equal differences are common, and no sign of certainty.
  std::optional<double> t, p;
  std::optional<double> half_interval;  // of the mean's 95 % interval by Student's t; nothing where there is no t
};
// a[i] and b[i] belong together. ConfigError unless both have the same number of values, 1 at least.
PairedTest paired_test(std::span<const double> a, std::span<const double> b);

}  // namespace domainfusion
