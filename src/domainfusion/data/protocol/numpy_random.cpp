#include "domainfusion/data/protocol/numpy_random.h"

#include <bit>

namespace domainfusion {

double NumpyRandom::uniform(double low, double high) {
  const auto a = static_cast<double>(twister_() >> 5), b = static_cast<double>(twister_() >> 6);
  return low + (high - low) * ((a * 67108864.0 + b) / 9007199254740992.0);
}

std::uint32_t NumpyRandom::up_to(std::uint32_t last) {
  if (last == 0) return 0;
  const auto mask = static_cast<std::uint32_t>(std::bit_ceil(std::uint64_t{last} + 1) - 1);
  std::uint32_t drawn;
  do {
    drawn = static_cast<std::uint32_t>(twister_()) & mask;
  } while (drawn > last);
  return drawn;
}

}  // namespace domainfusion
