#pragma once
// Small fingerprints of pictures that survive another size, another compression and slight changes of colour.

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct Fingerprint {
  // Difference hash: the picture in 9 x 8 grey values; a bit says whether a value is larger than its right neighbour.
  std::uint64_t bits = 0;
  std::array<std::uint8_t, 256> grey{};  // the picture in 16 x 16 grey values, row by row

  // A picture without structure (one colour, say) is like every other such picture: it is never near another.
  bool has_structure() const;
};

Fingerprint fingerprint(const Image& image);

// Whether at most kNearBits bits differ, and the grey values by at most kNearGrey on average.
constexpr int kNearBits = 3;
constexpr double kNearGrey = 6;
bool is_near(const Fingerprint& a, const Fingerprint& b);

// All pairs (i, j), i < j, of near fingerprints that lie in different groups, sorted. Pairs that differ in at most
// kNearBits bits agree in one of four 16-bit parts: only those that do are compared, so that large sets take no square
// time.
std::vector<std::pair<std::size_t, std::size_t>> near_pairs(const std::vector<Fingerprint>& fingerprints,
                                                            const std::vector<std::int64_t>& group);

}  // namespace domainfusion
