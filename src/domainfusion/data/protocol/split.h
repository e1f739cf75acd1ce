#pragma once
// DomainBed's 80/20 split of a domain, key for key.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace domainfusion {

// DomainBed's misc.seed_hash(*arguments): int(md5(text)) mod 2^31, where `text` is Python's text of the argument tuple,
// for instance "(0, 'lr')". `arguments` is an array.
std::uint32_t seed_hash(const nlohmann::json& arguments);

// 0 … n-1 as numpy.random.RandomState(seed).shuffle leaves it (Mersenne Twister, masked rejection).
std::vector<std::int64_t> numpy_permutation(std::int64_t n, std::uint32_t seed);

struct Split {
  std::vector<std::int64_t> in;   // training images, in DomainBed's order
  std::vector<std::int64_t> out;  // validation images
};

// The split of one domain: seed = seed_hash({trial, domain}), out = the first int(fraction * n) keys.
// `domain` is the index among all domains of the set; fraction is in (0, 1). FormatError if either part would be empty.
Split holdout_split(std::int64_t n, std::int64_t trial, std::int64_t domain, double fraction = 0.2);

}  // namespace domainfusion
