#include "domainfusion/data/verification/perceptual_hash.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <set>
#include <unordered_map>

#include "domainfusion/data/transforms/color.h"
#include "domainfusion/data/transforms/resize.h"

namespace domainfusion {
namespace {

constexpr int kColumns = 9, kRows = 8, kSide = 16;
constexpr int kParts = kNearBits + 1, kPartBits = 64 / kParts;
constexpr int kLeastContrast = 16;

std::uint64_t part_of(const Fingerprint& fingerprint, int part) {
  return fingerprint.bits >> (part * kPartBits) & ((std::uint64_t{1} << kPartBits) - 1);
}

}  // namespace

Fingerprint fingerprint(const Image& image) {
  Fingerprint made;
  const Image fine = grayscale(resize(image, kSide, kSide, Filter::kBilinear));
  for (std::size_t i = 0; i < made.grey.size(); ++i) made.grey[i] = fine.rgb[3 * i];
  const Image coarse = grayscale(resize(image, kRows, kColumns, Filter::kBilinear));
  for (int y = 0; y < kRows; ++y) {
    for (int x = 0; x + 1 < kColumns; ++x) {
      const std::uint8_t* value = &coarse.rgb[static_cast<std::size_t>(3 * (y * kColumns + x))];
      made.bits = made.bits << 1 | static_cast<std::uint64_t>(value[0] > value[3]);
    }
  }
  return made;
}

bool Fingerprint::has_structure() const {
  const auto [low, high] = std::minmax_element(grey.begin(), grey.end());
  return *high - *low >= kLeastContrast;
}

bool is_near(const Fingerprint& a, const Fingerprint& b) {
  if (std::popcount(a.bits ^ b.bits) > kNearBits) return false;
  int sum = 0;
  for (std::size_t i = 0; i < a.grey.size(); ++i) sum += std::abs(a.grey[i] - b.grey[i]);
  return sum <= kNearGrey * static_cast<double>(a.grey.size());
}

std::vector<std::pair<std::size_t, std::size_t>> near_pairs(const std::vector<Fingerprint>& fingerprints,
                                                            const std::vector<std::int64_t>& group) {
  std::set<std::pair<std::size_t, std::size_t>> pairs;
  for (int part = 0; part < kParts; ++part) {
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> buckets;
    for (std::size_t i = 0; i < fingerprints.size(); ++i) {
      if (!fingerprints[i].has_structure()) continue;
      auto& bucket = buckets[part_of(fingerprints[i], part)];
      for (const std::size_t other : bucket) {
        if (group[other] != group[i] && is_near(fingerprints[other], fingerprints[i])) pairs.emplace(other, i);
      }
      bucket.push_back(i);
    }
  }
  return {pairs.begin(), pairs.end()};
}

}  // namespace domainfusion
