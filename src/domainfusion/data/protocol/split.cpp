#include "domainfusion/data/protocol/split.h"

#include <numeric>

#include "domainfusion/core/error.h"
#include "domainfusion/data/protocol/numpy_random.h"
#include "domainfusion/data/protocol/python_text.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

std::uint32_t seed_hash(const nlohmann::json& arguments) {
  const auto digest = md5(python_tuple(arguments));
  std::uint32_t last = 0;
  for (std::size_t i = 12; i < 16; ++i) last = last << 8 | digest[i];
  return last & 0x7fffffffu;
}

std::vector<std::int64_t> numpy_permutation(std::int64_t n, std::uint32_t seed) {
  std::vector<std::int64_t> keys(static_cast<std::size_t>(n));
  std::iota(keys.begin(), keys.end(), 0);
  NumpyRandom(seed).shuffle(keys);
  return keys;
}

Split holdout_split(std::int64_t n, std::int64_t trial, std::int64_t domain, double fraction) {
  check<ConfigError>(fraction > 0 && fraction < 1, "holdout fraction {}: expected between 0 and 1", fraction);
  const auto keys = numpy_permutation(n, seed_hash({trial, domain}));
  const auto held_out = static_cast<std::int64_t>(static_cast<double>(n) * fraction);
  check<FormatError>(held_out >= 1 && held_out < n,
                     "a domain of {} images cannot be split: {} for validation, {} for training; add images", n,
                     held_out, n - held_out);
  return {{keys.begin() + held_out, keys.end()}, {keys.begin(), keys.begin() + held_out}};
}

}  // namespace domainfusion
