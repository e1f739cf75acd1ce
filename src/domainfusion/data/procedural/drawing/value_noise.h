#pragma once
// Smooth noise on a hashed integer lattice: integer arithmetic decides it, so it is the same everywhere.

#include <cmath>
#include <cstdint>

namespace domainfusion {

class ValueNoise {
 public:
  explicit ValueNoise(std::uint64_t seed) : seed_(seed) {}

  // [0, 1), independent between lattice points.
  double lattice(std::int64_t x, std::int64_t y) const {
    std::uint64_t h = seed_ ^ (static_cast<std::uint64_t>(x) * 0x9E3779B97F4A7C15ull) ^
                      (static_cast<std::uint64_t>(y) * 0xC2B2AE3D27D4EB4Full);
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ull;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBull;
    return static_cast<double>((h ^ (h >> 31)) >> 11) * 0x1p-53;
  }
  // [0, 1), one cell per unit.
  double smooth(double x, double y) const {
    const double fx = std::floor(x), fy = std::floor(y);
    const auto ix = static_cast<std::int64_t>(fx), iy = static_cast<std::int64_t>(fy);
    const double u = ease(x - fx), v = ease(y - fy);
    const double top = lattice(ix, iy) + u * (lattice(ix + 1, iy) - lattice(ix, iy));
    const double low = lattice(ix, iy + 1) + u * (lattice(ix + 1, iy + 1) - lattice(ix, iy + 1));
    return top + v * (low - top);
  }
  // Three octaves, centred: (-0.5, 0.5).
  double cloud(double x, double y) const {
    return (smooth(x, y) + 0.5 * smooth(2 * x + 17, 2 * y + 31) + 0.25 * smooth(4 * x + 71, 4 * y + 5)) / 1.75 - 0.5;
  }

 private:
  static double ease(double t) { return t * t * (3 - 2 * t); }
  std::uint64_t seed_;
};

}  // namespace domainfusion
