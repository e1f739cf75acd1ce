#include "domainfusion/core/random/beta_draw.h"

#include <cmath>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// uniform() may be 0, whose logarithm is not finite.
double log_of_uniform(RandomStream& stream) { return std::log(1 - stream.uniform()); }

// ln of a Gamma(shape, 1) draw, shape >= 1.
double log_gamma_draw_above_one(RandomStream& stream, double shape) {
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = stream.normal(), root = 1 + c * x, log_u = log_of_uniform(stream);
    if (root <= 0) continue;
    const double v = root * root * root;
    if (log_u < 0.5 * x * x + d * (1 - v + std::log(v))) return std::log(d * v);
  }
}

// Below 1: Gamma(shape) = Gamma(shape + 1) * U^(1 / shape).
double log_gamma_draw(RandomStream& stream, double shape) {
  if (shape >= 1) return log_gamma_draw_above_one(stream, shape);
  const double log_larger = log_gamma_draw_above_one(stream, shape + 1);
  return log_larger + log_of_uniform(stream) / shape;
}

}  // namespace

double draw_beta(RandomStream& stream, double alpha, double beta) {
  check<ConfigError>(alpha > 0 && beta > 0, "Beta({}, {}): both parameters have to be positive", alpha, beta);
  const double log_a = log_gamma_draw(stream, alpha), log_b = log_gamma_draw(stream, beta);
  return 1 / (1 + std::exp(log_b - log_a));
}

}  // namespace domainfusion
