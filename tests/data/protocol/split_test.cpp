#include "domainfusion/data/protocol/split.h"

#include <gtest/gtest.h>

#include <set>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

std::vector<std::int64_t> first_of(const std::vector<std::int64_t>& keys, std::size_t n) {
  return {keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(n)};
}

using Keys = std::vector<std::int64_t>;

}  // namespace

TEST(Split, SeedsAreTheMd5OfPythonsTupleText) {
  EXPECT_EQ(seed_hash({0, 0}), 894182419u);
  EXPECT_EQ(seed_hash({0, 5}), 1833038383u);
  EXPECT_EQ(seed_hash({1, 2}), 1981683110u);
  EXPECT_EQ(seed_hash({2, 5}), 941488192u);
}

TEST(Split, OutSplitsOfPacsAreThoseOfDomainBed) {
  const struct {
    std::int64_t n, trial, domain, held_out;
    Keys first;
  } vectors[] = {{2048, 0, 0, 409, {548, 677, 1997, 977, 1553, 1123, 1936, 1520}},
                 {2344, 0, 1, 468, {1488, 562, 461, 570, 2092, 1124, 1898, 1260}},
                 {1670, 0, 2, 334, {1441, 1432, 282, 669, 637, 829, 1137, 1146}},
                 {3929, 0, 3, 785, {2743, 2083, 2744, 3449, 1159, 1137, 3817, 1555}},
                 {3929, 1, 3, 785, {2181, 1642, 2965, 3408, 1653, 2977, 781, 2588}},
                 {2048, 2, 0, 409, {388, 1649, 941, 375, 1008, 1263, 1089, 988}}};
  for (const auto& v : vectors) {
    const Split split = holdout_split(v.n, v.trial, v.domain);
    EXPECT_EQ(std::ssize(split.out), v.held_out);
    EXPECT_EQ(first_of(split.out, 8), v.first) << "n " << v.n << ", trial " << v.trial;
  }
  const Split ten = holdout_split(10, 0, 0);
  EXPECT_EQ(ten.out, (Keys{2, 3}));
  EXPECT_EQ(first_of(ten.in, 6), (Keys{8, 1, 4, 5, 0, 9}));
}

TEST(Split, BothPartsTogetherHoldEveryImageOnce) {
  for (std::int64_t n : {5, 6, 63, 64, 65, 1000}) {
    const Split split = holdout_split(n, 1, 2);
    std::set<std::int64_t> all(split.in.begin(), split.in.end());
    all.insert(split.out.begin(), split.out.end());
    EXPECT_EQ(std::ssize(all), n);
    EXPECT_EQ(std::ssize(split.in) + std::ssize(split.out), n);
  }
}

TEST(Split, APartWithoutImagesIsAnError) {
  EXPECT_THROW(holdout_split(4, 0, 0), FormatError);
  EXPECT_THROW(holdout_split(0, 0, 0), FormatError);
  EXPECT_THROW(holdout_split(10, 0, 0, 0.0), ConfigError);
  EXPECT_THROW(holdout_split(10, 0, 0, 1.0), ConfigError);
}

}  // namespace domainfusion
