#pragma once
// numpy.random.RandomState, draw for draw: what DomainBed's splits and hyper-parameters come from.

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace domainfusion {

// Mersenne Twister seeded with init_genrand(seed).
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed) : twister_(seed) {}

  // [low, high): 53 bits of two draws.
  double uniform(double low, double high);
  // 0 … last, by masked rejection; no draw where last is 0. `last` < 2^32.
  std::uint32_t up_to(std::uint32_t last);
  template <class Value>
  const Value& choice(const std::vector<Value>& values) {
    return values[up_to(static_cast<std::uint32_t>(values.size() - 1))];
  }
  template <class Value>
  void shuffle(std::vector<Value>& values) {
    for (std::size_t i = values.size(); i-- > 1;) std::swap(values[i], values[up_to(static_cast<std::uint32_t>(i))]);
  }

 private:
  std::mt19937 twister_;
};

}  // namespace domainfusion
