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

constexpr int kColumns = 9, kRows = 8;
constexpr int kParts = kNearBits + 1, kPartBits = 64 / kParts;
constexpr int kLeastContrast = 16;

std::uint64_t part_of(const Fingerprint& fingerprint, int part) {
  return fingerprint.bits >> (part * kPartBits) & ((std::uint64_t{1} << kPartBits) - 1);
}

}  // namespace

Fingerprint fingerprint(const Image& image) {
  const Image small = grayscale(resize(image, kRows, kColumns, Filter::kBilinear));
  Fingerprint made;
  for (std::size_t i = 0; i < made.grey.size(); ++i) made.grey[i] = small.rgb[3 * i];
  for (int y = 0; y < kRows; ++y) {
    for (int x = 0; x + 1 < kColumns; ++x) {
      const bool falls = made.grey[y * kColumns + x] > made.grey[y * kColumns + x + 1];
      made.bits = made.bits << 1 | static_cast<std::uint64_t>(falls);
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
