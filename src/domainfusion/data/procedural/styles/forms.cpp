#include "domainfusion/data/procedural/styles/forms.h"

#include <cmath>
#include <limits>

#include "domainfusion/data/procedural/drawing/value_noise.h"

namespace domainfusion {

Forms forms_of(const Drawing& drawing) {
  Forms forms;
  forms.part.assign(drawing.silhouette_px.size(), -1);
  forms.distance_px = drawing.silhouette_px;
  forms.border_px = drawing.silhouette_px;
  for (double& d : forms.border_px) d = std::abs(d);
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    if (drawing.parts[k].mark) continue;
    for (std::size_t i = 0; i < forms.part.size(); ++i) {
      const double d = drawing.distance_px[k][i];
      // A part hides the borders of those behind it, and brings its own.
      forms.border_px[i] = d < 0 ? -d : std::min(forms.border_px[i], d);
      if (d >= 0) continue;
      forms.part[i] = static_cast<int>(k);
      forms.distance_px[i] = d;
    }
  }
  return forms;
}

ColourMap plain_planes(int size_px, double saturation, double value, RandomStream& random) {
  const double hue = random.uniform(), other = hue + random.uniform(0.1, 0.5);
  const double high_value = random.uniform(value, 1), low_value = random.uniform(value * 0.8, 0.95);
  const Colour high = to_rgb({hue, saturation * random.uniform(), high_value});
  const Colour low = to_rgb({other, saturation * random.uniform(), low_value});
  const double level = random.uniform(0.6, 1.1) * size_px;
  ColourMap map(size_px);
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x) map.at(x, y) = lerp(high, low, coverage(level - y));
  }
  return map;
}

Cell cell_at(double x, double y, double pitch, double jitter, std::uint64_t seed) {
  const ValueNoise across(seed), down(seed + 1);
  const auto column = static_cast<std::int64_t>(std::floor(x / pitch)),
             row = static_cast<std::int64_t>(std::floor(y / pitch));
  double nearest = std::numeric_limits<double>::infinity(), second = nearest;
  Cell cell;
  for (std::int64_t j = row - 1; j <= row + 1; ++j) {
    for (std::int64_t i = column - 1; i <= column + 1; ++i) {
      const double px = (static_cast<double>(i) + 0.5 + jitter * (across.lattice(i, j) - 0.5)) * pitch;
      const double py = (static_cast<double>(j) + 0.5 + jitter * (down.lattice(i, j) - 0.5)) * pitch;
      const double d = std::sqrt((x - px) * (x - px) + (y - py) * (y - py));
      if (d < nearest) {
        second = nearest;
        nearest = d;
        cell = {px, py, 0, (static_cast<std::uint64_t>(j) << 20U) ^ static_cast<std::uint64_t>(i & 0xFFFFF)};
      } else {
        second = std::min(second, d);
      }
    }
  }
  cell.border_px = (second - nearest) / 2;
  return cell;
}

}  // namespace domainfusion
