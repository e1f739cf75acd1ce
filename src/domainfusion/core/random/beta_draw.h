#pragma once
// Draws from the Beta distribution, as mixing methods weigh two images with.

#include "domainfusion/core/random/random.h"

namespace domainfusion {

// One draw of Beta(alpha, beta) in [0, 1] from `stream`, by two Gamma draws (Marsaglia and Tsang, ACM TOMS 2000) whose
// logarithms are compared, so that small parameters (0.1) neither underflow nor lose their share of draws near 0 and 1.
// ConfigError unless both parameters are positive.
double draw_beta(RandomStream& stream, double alpha, double beta);

}  // namespace domainfusion
