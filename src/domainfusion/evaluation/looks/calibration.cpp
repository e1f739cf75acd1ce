#include "domainfusion/evaluation/looks/calibration.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"

namespace domainfusion {

Calibration calibration_of(const std::vector<ImageAnswer>& answers, std::int64_t bins) {
  check<ConfigError>(!answers.empty() && bins >= 1, "calibration of {} answers in {} bins: expected one at least",
                     answers.size(), bins);
  Calibration result;
  for (std::int64_t b = 0; b < bins; ++b)
    result.bins.push_back(
        {static_cast<double>(b) / static_cast<double>(bins), static_cast<double>(b + 1) / static_cast<double>(bins)});
  for (const ImageAnswer& answer : answers) {
    const auto place = static_cast<std::int64_t>(std::ceil(answer.probability * static_cast<double>(bins))) - 1;
    ReliabilityBin& bin = result.bins[static_cast<std::size_t>(std::clamp<std::int64_t>(place, 0, bins - 1))];
    ++bin.images;
    bin.probability += answer.probability;
    bin.accuracy += answer.answer == answer.label ? 1 : 0;
  }
  for (ReliabilityBin& bin : result.bins) {
    if (bin.images == 0) continue;
    const auto images = static_cast<double>(bin.images);
    bin.probability /= images;
    bin.accuracy /= images;
    result.error += images / static_cast<double>(answers.size()) * std::abs(bin.accuracy - bin.probability);
  }
  return result;
}

}  // namespace domainfusion
