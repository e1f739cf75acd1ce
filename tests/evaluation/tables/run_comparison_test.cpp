#include "domainfusion/evaluation/tables/run_comparison.h"

#include <gtest/gtest.h>

namespace domainfusion {
namespace {

std::string verdict_on(const std::vector<PairedFigures>& pairs) {
  const std::string text = describe_gap(pairs);
  return text.substr(text.find("B - A:"));
}

}  // namespace

TEST(RunComparison, GivesAVerdictWhereThePairsScatter) {
  EXPECT_EQ(verdict_on({{"art", 0, 0.50, 0.51}, {"art", 1, 0.60, 0.62}, {"art", 2, 0.55, 0.58}}),
            "B - A: +2.00 ± 0.58, paired t-test over 3 pairs: t = 3.46, p = 0.0742\n"
            "the gap is inside the scatter of the pairs (p > 0.05)\n");
  const std::string clear =
      verdict_on({{"art", 0, 0.50, 0.59}, {"art", 1, 0.60, 0.70}, {"photo", 0, 0.55, 0.66}, {"photo", 1, 0.50, 0.60}});
  EXPECT_NE(clear.find("larger than the scatter of the pairs explains"), std::string::npos) << clear;
  EXPECT_EQ(clear.find("one trial a target"), std::string::npos) << clear;
}

TEST(RunComparison, GivesNoneForTwoPairsOrEqualDifferences) {
  EXPECT_EQ(verdict_on({{"art", 0, 0.5, 0.5125}}),
            "B - A: +1.25, 1 pair: t = n/a, p = n/a\nno verdict: 3 pairs at least are needed; run more trials\n");
  EXPECT_EQ(verdict_on({{"art", 0, 0.5, 0.5125}, {"art", 1, 0.6, 0.6375}}),
            "B - A: +2.50 ± 1.25, 2 pairs: t = n/a, p = n/a\n"
            "no verdict: 3 pairs at least are needed; run more trials\n");
  const std::string equal = verdict_on({{"art", 0, 0.5125, 0.525}, {"art", 1, 0.8, 0.8125}, {"art", 2, 0.65, 0.6625}});
  EXPECT_EQ(equal,
            "B - A: +1.25 ± 0.00, 3 pairs: t = n/a, p = n/a\n"
            "no verdict: all differences are equal, so nothing is known of their scatter; run more trials\n");
}

TEST(RunComparison, SaysWhenTheScatterIsThatOfTargetsAlone) {
  const std::string text = verdict_on({{"art", 0, 0.50, 0.51}, {"photo", 0, 0.60, 0.62}, {"sketch", 0, 0.55, 0.58}});
  EXPECT_NE(text.find("one trial a target: the scatter is that of targets, not of seeds"), std::string::npos) << text;
}

}  // namespace domainfusion
