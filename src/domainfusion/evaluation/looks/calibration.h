#pragma once
// Whether a classifier is right as often as it says: reliability diagram and expected calibration error.

#include <cstdint>
#include <vector>

#include "domainfusion/evaluation/looks/image_answers.h"

namespace domainfusion {

// Answers whose probability lies in (low, high].
struct ReliabilityBin {
  double low = 0, high = 0;
  std::int64_t images = 0;
  double probability = 0, accuracy = 0;  // means; 0 in an empty bin
};

struct Calibration {
  std::vector<ReliabilityBin> bins;  // of equal width over [0, 1]
  double error = 0;  // ECE = sum over bins of images / N * |accuracy - probability| (Guo et al., ICML 2017, eq. 3)
};

// ConfigError if there are no answers or bins < 1.
Calibration calibration_of(const std::vector<ImageAnswer>& answers, std::int64_t bins = 15);

}  // namespace domainfusion
