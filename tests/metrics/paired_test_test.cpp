#include "domainfusion/metrics/paired_test.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "domainfusion/core/error.h"

namespace domainfusion {

TEST(PairedTest, TheIncompleteBetaFunctionHasItsKnownValues) {
  EXPECT_NEAR(incomplete_beta(1, 1, 0.3), 0.3, 1e-14);                   // x
  EXPECT_NEAR(incomplete_beta(2, 1, 0.3), 0.09, 1e-14);                  // x^2
  EXPECT_NEAR(incomplete_beta(1, 3, 0.3), 1 - std::pow(0.7, 3), 1e-14);  // 1 - (1 - x)^b
  EXPECT_NEAR(incomplete_beta(2, 2, 0.3), 0.09 * (3 - 0.6), 1e-14);      // x^2 (3 - 2 x)
  EXPECT_NEAR(incomplete_beta(0.5, 0.5, 0.3), 2 / std::acos(-1.0) * std::asin(std::sqrt(0.3)), 1e-13);
  EXPECT_NEAR(incomplete_beta(40, 60, 0.9), 1, 1e-12);
  EXPECT_EQ(incomplete_beta(3, 4, 0), 0);
  EXPECT_EQ(incomplete_beta(3, 4, 1), 1);
  EXPECT_THROW(incomplete_beta(0, 1, 0.5), ConfigError);
  EXPECT_THROW(incomplete_beta(1, 1, std::nan("")), ConfigError);
}

TEST(PairedTest, PValuesAreThoseOfTablesOfStudentsT) {
  // With one degree of freedom (Cauchy) P(|T| >= t) = 1 - 2/pi atan t; with two, 1 - t / sqrt(2 + t^2).
  for (const double t : {0.1, 1.0, 3.0, 50.0}) {
    EXPECT_NEAR(two_sided_p_value(t, 1), 1 - 2 / std::acos(-1.0) * std::atan(t), 1e-12);
    EXPECT_NEAR(two_sided_p_value(-t, 2), 1 - t / std::sqrt(2 + t * t), 1e-12);
  }
  // 5 % points as printed in tables.
  EXPECT_NEAR(two_sided_p_value(2.570582, 5), 0.05, 1e-6);
  EXPECT_NEAR(two_sided_p_value(2.306004, 8), 0.05, 1e-6);
  EXPECT_NEAR(two_sided_p_value(2.200985, 11), 0.05, 1e-6);
}

TEST(PairedTest, DifferencesAreJudgedByTheirScatter) {
  const std::vector<double> a{1, 2, 3, 4}, b{2, 2, 5, 5};  // differences 1, 0, 2, 1
  const PairedTest test = paired_test(a, b);
  EXPECT_NEAR(test.mean_difference, 1, 1e-15);
  EXPECT_NEAR(test.standard_error, std::sqrt(2.0 / 3 / 4), 1e-15);
  EXPECT_NEAR(test.t.value(), std::sqrt(6.0), 1e-12);
  // Three degrees of freedom: 1 - 2/pi (atan(t/sqrt 3) + (t/sqrt 3) / (1 + t^2/3)).
  const double u = *test.t / std::sqrt(3.0);
  EXPECT_NEAR(test.p.value(), 1 - 2 / std::acos(-1.0) * (std::atan(u) + u / (1 + u * u)), 1e-12);
  EXPECT_THROW(paired_test(a, std::vector<double>{1, 2}), ConfigError);
  EXPECT_THROW(paired_test({}, {}), ConfigError);
}

TEST(PairedTest, WithoutScatterOrWithTwoPairsNothingIsKnownOfChance) {
  // 100 * (0.5125, 0.8, 0.65) and 1.25 more: equal but for rounding.
  const std::vector<double> a{51.25, 80, 65}, same = a, shifted{100 * 0.525, 100 * 0.8125, 100 * 0.6625};
  EXPECT_FALSE(paired_test(a, same).p);
  EXPECT_FALSE(paired_test(a, shifted).p) << paired_test(a, shifted).standard_error;
  EXPECT_NEAR(paired_test(a, shifted).mean_difference, 1.25, 1e-12);
  const std::vector<double> two{50, 60}, other{51, 70}, one{50};
  EXPECT_NEAR(paired_test(two, other).standard_error, 4.5, 1e-12);
  EXPECT_FALSE(paired_test(two, other).p || paired_test(two, other).t);
  EXPECT_FALSE(paired_test(one, one).p);
  // No difference on average, but scatter: certain to be chance.
  const std::vector<double> mixed{52.25, 79, 65};
  EXPECT_NEAR(paired_test(a, mixed).p.value(), 1, 1e-12);
}

TEST(PairedTest, CriticalValuesAreThoseOfTables) {
  EXPECT_NEAR(critical_t(0.05, 1), 12.7062, 1e-4);
  EXPECT_NEAR(critical_t(0.05, 2), 4.30265, 1e-5);
  EXPECT_NEAR(critical_t(0.05, 30), 2.04227, 1e-5);
  EXPECT_NEAR(critical_t(0.01, 10), 3.16927, 1e-5);
  EXPECT_THROW(critical_t(0, 3), ConfigError);
}

}  // namespace domainfusion
