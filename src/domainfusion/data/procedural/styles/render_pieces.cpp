// Styles that put a picture together from pieces: mosaic, stained glass, pixel art, embroidery.
#include <array>
#include <cmath>

#include "domainfusion/data/procedural/drawing/value_noise.h"
#include "domainfusion/data/procedural/styles/forms.h"

namespace domainfusion {
namespace {

Colour lively(const Part& part, double saturation, double value) {
  return to_rgb(
      {part.colour.hue, std::min(part.colour.saturation * saturation, 1.0), std::min(part.colour.value * value, 1.0)});
}

const Colour& colour_at(const ColourMap& map, double x, double y) {
  return map.pixels[clamped_place(map.size, static_cast<int>(x), static_cast<int>(y))];
}

}  // namespace

ColourMap render_mosaic(const Drawing& drawing, RandomStream& random) {
  const ColourMap model = painted_model(drawing, plain_planes(drawing.size_px, 0.5, 0.6, random), 0.7, random,
                                        [](const Part& part) { return lively(part, 1.0, 1.0); });
  const double pitch = random.uniform(3.0, 4.2), jitter = random.uniform(0.3, 0.7);
  const Colour grout = to_rgb({random.uniform(), 0.1, random.uniform(0.3, 0.75)});
  const std::uint64_t seed = random.next_u64();
  const ValueNoise tint(random.next_u64());
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const Cell cell = cell_at(x + 0.5, y + 0.5, pitch, jitter, seed);
      const double shift = tint.lattice(static_cast<std::int64_t>(cell.number), 3) - 0.5;
      map.at(x, y) =
          lerp(grout, colour_at(model, cell.x, cell.y) * (1 + 0.35 * shift), smooth_step(0.1, 0.75, cell.border_px));
    }
  }
  return map;
}

ColourMap render_stained_glass(const Drawing& drawing, RandomStream& random) {
  const Forms forms = forms_of(drawing);
  const double pitch = random.uniform(11, 17), lead_px = random.uniform(0.7, 1.1);
  const std::uint64_t seed = random.next_u64();
  const ValueNoise tint(random.next_u64()), glow(random.next_u64());
  const double hue = random.uniform();
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = clamped_place(map.size, x, y);
      const Cell cell = cell_at(x + 0.5, y + 0.5, pitch, 0.8, seed);
      const double shift = tint.lattice(static_cast<std::int64_t>(cell.number), forms.part[i]);
      const Hsv pane{hue + 0.35 * shift, 0.75, 0.55 + 0.4 * shift};
      const Colour glass =
          forms.part[i] < 0
              ? to_rgb(pane)
              : lively(drawing.parts[static_cast<std::size_t>(forms.part[i])], 1.5, 1.1) * (0.8 + 0.4 * shift);
      const double light = 1 + 0.5 * glow.cloud(x / 9.0, y / 9.0);
      // Panes of the background are cut; a part is one pane.
      const double lead = std::max(coverage(forms.border_px[i] - lead_px),
                                   forms.part[i] < 0 ? coverage(cell.border_px - lead_px * 0.7) : 0.0);
      map.at(x, y) = lerp(glass * light, Colour{0.05, 0.05, 0.06}, lead);
    }
  }
  return map;
}

ColourMap render_pixel_art(const Drawing& drawing, RandomStream& random) {
  const Forms forms = forms_of(drawing);
  const ColourMap model = painted_model(drawing, plain_planes(drawing.size_px, 0.6, 0.5, random), 0.9, random,
                                        [](const Part& part) { return lively(part, 1.3, 1.1); });
  const int block = 2 + static_cast<int>(random.below(2));
  const double levels = 3 + static_cast<double>(random.below(3));
  const bool outlined = random.uniform() < 0.6;
  const auto coarse = [&](double v) { return std::floor(clamp01(v) * levels + 0.5) / levels; };
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const int bx = x / block * block + block / 2, by = y / block * block + block / 2;
      const std::size_t i = clamped_place(map.size, bx, by);
      const Colour c = model.pixels[i];
      map.at(x, y) = {coarse(c.r), coarse(c.g), coarse(c.b)};
      if (outlined && forms.distance_px[i] > 0 && forms.distance_px[i] < block) map.at(x, y) = {0.06, 0.05, 0.1};
    }
  }
  return map;
}

ColourMap render_embroidery(const Drawing& drawing, RandomStream& random) {
  const Forms forms = forms_of(drawing);
  const Colour cloth = to_rgb({random.uniform(), random.uniform(0.05, 0.5), random.uniform(0.45, 0.95)});
  const double lean = random.uniform(0, 3.14), stitch = random.uniform(5, 8), thread = random.uniform(1.3, 1.9);
  const ValueNoise fray(random.next_u64());
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = clamped_place(map.size, x, y);
      const double weave = 0.08 * ((x + y) % 2 == 0 ? 1 : -1) + 0.1 * (fray.lattice(x, y) - 0.5);
      map.at(x, y) = cloth * (0.95 + weave);
      if (forms.part[i] < 0) continue;
      // Satin stitch: threads side by side, each part in a direction of its own, ends set off row by row.
      const double angle = lean + 0.9 * forms.part[i], c = std::cos(angle), s = std::sin(angle);
      const double across = (x * s - y * c) / thread, row = std::floor(across);
      const double along = (x * c + y * s) / stitch + 0.5 * row, end = std::abs(along - std::floor(along) - 0.5);
      const double round = std::sin(3.14159 * (across - row)), gap = smooth_step(0.5, 0.42, end);
      const double shade = 0.6 + 0.45 * round * gap + 0.12 * (fray.lattice(static_cast<std::int64_t>(row), 7) - 0.5);
      const Part& part = drawing.parts[static_cast<std::size_t>(forms.part[i])];
      map.at(x, y) = lerp(map.at(x, y), lively(part, 1.1, 1.05) * shade, coverage(forms.distance_px[i]));
      map.at(x, y) = map.at(x, y) * lerp(1, 0.55, coverage(forms.border_px[i] - 0.5));
    }
  }
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    if (!drawing.parts[k].mark) continue;
    for (std::size_t i = 0; i < map.pixels.size(); ++i) {
      map.pixels[i] = lerp(map.pixels[i], to_rgb(drawing.parts[k].colour) * 0.8, coverage(drawing.distance_px[k][i]));
    }
  }
  return map;
}

}  // namespace domainfusion
