#include "domainfusion/data/split.h"

#include <fmt/format.h>

#include <bit>
#include <numeric>
#include <random>

#include "domainfusion/core/error.h"
#include "domainfusion/io/content_hash.h"

namespace domainfusion {

std::uint32_t seed_hash(std::string_view python_tuple) {
  const auto digest = md5(python_tuple);
  std::uint32_t last = 0;
  for (std::size_t i = 12; i < 16; ++i) last = last << 8 | digest[i];
  return last & 0x7fffffffu;
}

std::vector<std::int64_t> numpy_permutation(std::int64_t n, std::uint32_t seed) {
  std::vector<std::int64_t> keys(static_cast<std::size_t>(n));
  std::iota(keys.begin(), keys.end(), 0);
  std::mt19937 twister(seed);
  for (std::size_t i = keys.size(); i-- > 1;) {
    const auto mask = static_cast<std::uint32_t>(std::bit_ceil(i + 1) - 1);
    std::uint32_t j;
    do {
      j = static_cast<std::uint32_t>(twister()) & mask;
    } while (j > i);
    std::swap(keys[i], keys[j]);
  }
  return keys;
}

Split holdout_split(std::int64_t n, std::int64_t trial, std::int64_t domain, double fraction) {
  check<ConfigError>(fraction > 0 && fraction < 1, "holdout fraction {}: expected between 0 and 1", fraction);
  const auto keys = numpy_permutation(n, seed_hash(fmt::format("({}, {})", trial, domain)));
  const auto held_out = static_cast<std::int64_t>(static_cast<double>(n) * fraction);
  check<FormatError>(held_out >= 1 && held_out < n,
                     "a domain of {} images cannot be split: {} for validation, {} for training; add images", n,
                     held_out, n - held_out);
  return {{keys.begin() + held_out, keys.end()}, {keys.begin(), keys.begin() + held_out}};
}

}  // namespace domainfusion
