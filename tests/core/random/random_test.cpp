#include "domainfusion/core/random/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace domainfusion {

TEST(RandomStream, TheSameNameGivesTheSameDraws) {
  RandomStream a(7, "noise", {3, 4}), b(7, "noise", {3, 4});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next_u64(), b.next_u64());
}

TEST(RandomStream, EveryPartOfTheNameChangesTheDraws) {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed : {0, 1}) {
    for (const char* purpose : {"noise", "time"}) {
      for (std::uint64_t a : {0, 1}) {
        for (std::uint64_t b : {0, 1}) first.insert(RandomStream(seed, purpose, {a, b}).next_u64());
      }
    }
  }
  first.insert(RandomStream(0, "noise", {0}).next_u64());
  first.insert(RandomStream(0, "noise").next_u64());
  EXPECT_EQ(first.size(), 18u);
}

TEST(RandomStream, NormalDrawsHaveMeanZeroAndVarianceOne) {
  RandomStream stream(1, "normal");
  double sum = 0, squares = 0;
  constexpr int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = stream.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2.0 / n));
}

TEST(RandomStream, BelowReachesEveryValueEvenly) {
  RandomStream stream(1, "below");
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[stream.below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(RandomStream, APermutationHoldsEveryIndexOnce) {
  const auto order = RandomStream(5, "order").permutation(50);
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 50u);
  EXPECT_EQ(*std::max_element(order.begin(), order.end()), 49);
}

TEST(RandomStream, ACycleLeavesNothingInItsPlace) {
  for (std::int64_t n = 2; n < 20; ++n) {
    const auto order = RandomStream(7, "cycle", {static_cast<std::uint64_t>(n)}).cycle(n);
    std::int64_t place = 0, steps = 0;
    do {
      place = order[static_cast<std::size_t>(place)];
      ++steps;
    } while (place != 0 && steps <= n);
    EXPECT_EQ(steps, n);
  }
  EXPECT_EQ(RandomStream(7, "cycle").cycle(1), std::vector<std::int64_t>{0});
}

}  // namespace domainfusion
