#pragma once
// Student's paired t-test: whether two systems differ by more than their seeds scatter.

#include <span>

namespace domainfusion {

// I_x(a, b), the regularised incomplete beta function, for a, b > 0 and x in [0, 1], to about 1e-12, by its continued
// fraction (Numerical Recipes, section 6.4). ConfigError for other arguments.
double incomplete_beta(double a, double b, double x);

// P(|T| >= |t|) for Student's t with `freedom` > 0 degrees of freedom.
double two_sided_p_value(double t, double freedom);

struct PairedTest {
  double mean_difference = 0;  // of b - a
  double standard_error = 0;   // of that mean: sample standard deviation / sqrt(n)
  double t = 0;                // infinite where all differences are equal and not 0
  double p = 1;                // two-sided; 1 where all differences are 0
};
// a[i] and b[i] belong together. ConfigError unless both have the same number of values, 2 at least.
PairedTest paired_test(std::span<const double> a, std::span<const double> b);

}  // namespace domainfusion
