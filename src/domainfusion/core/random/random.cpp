#include "domainfusion/core/random/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// SplitMix64's finaliser: spreads every input bit over the 64 output bits.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view purpose, std::initializer_list<std::uint64_t> ids) {
  std::uint64_t name = mix(seed);
  for (unsigned char c : purpose) name = mix(name ^ c);
  name = mix(name ^ purpose.size());
  std::uint64_t item = mix(name ^ 0xd1b54a32d192ed03ull);
  for (std::uint64_t id : ids) {
    name = mix(name ^ id);
    item = mix(item + id);
  }
  key_ = {static_cast<std::uint32_t>(name), static_cast<std::uint32_t>(name >> 32)};
  // The upper half of the counter holds a second hash of the name, so that two streams meet only if 128 bits agree.
  counter_ = {0, 0, static_cast<std::uint32_t>(item), static_cast<std::uint32_t>(item >> 32)};
}

void RandomStream::refill() {
  std::array<std::uint32_t, 4> x = counter_;
  std::array<std::uint32_t, 2> k = key_;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * x[0];
    const std::uint64_t b = 0xCD9E8D57ull * x[2];
    x = {static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ k[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ k[1], static_cast<std::uint32_t>(a)};
    k = {k[0] + 0x9E3779B9u, k[1] + 0xBB67AE85u};
  }
  block_ = x;
  used_ = 0;
  if (++counter_[0] == 0) ++counter_[1];
}

std::uint32_t RandomStream::next_u32() {
  if (used_ == 4) refill();
  return block_[used_++];
}

std::uint64_t RandomStream::next_u64() {
  const std::uint64_t low = next_u32();
  return low | (static_cast<std::uint64_t>(next_u32()) << 32);
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

double RandomStream::uniform(double low, double high) { return low + (high - low) * uniform(); }

std::uint64_t RandomStream::below(std::uint64_t bound) {
  check<ConfigError>(bound >= 1, "random draw below 0 asked for: the set to draw from is empty");
  // Draws above the last full multiple of `bound` would favour small values: they are thrown away.
  const std::uint64_t reject_from = bound * (UINT64_MAX / bound);
  std::uint64_t x;
  do {
    x = next_u64();
  } while (x >= reject_from);
  return x % bound;
}

double RandomStream::normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_normal_ = radius * std::sin(angle);
  has_spare_normal_ = true;
  return radius * std::cos(angle);
}

void RandomStream::fill_normal(std::span<float> values) {
  for (float& value : values) value = static_cast<float>(normal());
}

std::vector<std::int64_t> RandomStream::permutation(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[below(static_cast<std::uint64_t>(i) + 1)]);
  return order;
}

std::vector<std::int64_t> RandomStream::cycle(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[below(static_cast<std::uint64_t>(i))]);
  return order;
}

}  // namespace domainfusion
