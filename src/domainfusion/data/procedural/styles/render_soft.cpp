// Styles of soft surfaces: watercolour, clay.
#include <cmath>

#include "domainfusion/data/procedural/drawing/value_noise.h"
#include "domainfusion/data/procedural/styles/forms.h"

namespace domainfusion {

ColourMap render_watercolour(const Drawing& drawing, RandomStream& random) {
  const Forms forms = forms_of(drawing);
  const double thin = random.uniform(0.35, 0.6), bleed = random.uniform(1.5, 3.5), hue = random.uniform();
  const Colour paper{random.uniform(0.95, 0.99), random.uniform(0.94, 0.98), random.uniform(0.9, 0.97)};
  const Colour wash = to_rgb({hue, random.uniform(0.2, 0.6), random.uniform(0.7, 0.95)});
  const ValueNoise drift(random.next_u64()), grain(random.next_u64()), flow(random.next_u64());
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const int sx = x + static_cast<int>(std::lround(bleed * 2 * drift.cloud(x / 8.0, y / 8.0)));
      const int sy = y + static_cast<int>(std::lround(bleed * 2 * drift.cloud(x / 8.0 + 60, y / 8.0)));
      const std::size_t i = clamped_place(map.size, sx, sy);
      const double granules = 1 + 0.25 * (grain.lattice(x, y) - 0.5) + 0.5 * flow.cloud(x / 7.0, y / 7.0);
      // Pigment gathers at the border of a wash.
      const double rim = smooth_step(2.2, 0.2, forms.border_px[i]);
      if (forms.part[i] >= 0) {
        const Part& part = drawing.parts[static_cast<std::size_t>(forms.part[i])];
        const Colour pigment = lerp(to_rgb(part.colour), paper, thin * clamp01(1.2 - 0.6 * rim) * 0.9);
        map.at(x, y) = pigment * clamp01(1.02 - 0.25 * rim * (granules - 0.3));
      } else {
        const double pool = smooth_step(0.4, 0.7, flow.smooth(x / 20.0, y / 16.0));
        map.at(x, y) = lerp(paper, wash, clamp01(0.6 * pool * granules));
      }
      map.at(x, y) = map.at(x, y) * (1 - 0.06 * grain.lattice(x / 2 + 50, y / 2));
    }
  }
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    if (!drawing.parts[k].mark) continue;
    for (std::size_t i = 0; i < map.pixels.size(); ++i) {
      map.pixels[i] = lerp(map.pixels[i], to_rgb(drawing.parts[k].colour), 0.6 * coverage(drawing.distance_px[k][i]));
    }
  }
  return map;
}

ColourMap render_clay(const Drawing& drawing, RandomStream& random) {
  const Light light = random_light(random);
  const Forms forms = forms_of(drawing);
  PixelMap height = relief(drawing, 1.3);
  const ValueNoise dents(random.next_u64());
  for (int y = 0; y < drawing.size_px; ++y) {
    for (int x = 0; x < drawing.size_px; ++x)
      height[clamped_place(drawing.size_px, x, y)] += 2.2 * dents.cloud(x / 5.0, y / 5.0);
  }
  const Shading shading = shade(height, drawing.size_px, light);
  const double shift = random.uniform(-0.05, 0.05);
  ColourMap map = plain_planes(drawing.size_px, 0.6, 0.45, random);
  const int dx = static_cast<int>(std::lround(-light.x * 6)), dy = static_cast<int>(std::lround(-light.y * 4));
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = clamped_place(map.size, x, y);
      const double shadow = 1 - smooth_step(-2, 2, drawing.silhouette_px[clamped_place(map.size, x - dx, y - dy)]);
      Colour c = map.at(x, y) * (1 - 0.4 * shadow);
      if (forms.part[i] >= 0) {
        const Hsv own = drawing.parts[static_cast<std::size_t>(forms.part[i])].colour;
        const Colour dough = to_rgb({own.hue + shift, 0.25 + 0.7 * own.saturation, 0.3 + 0.65 * own.value});
        c = lerp(c, dough * lerp(1, 0.7, coverage(forms.border_px[i] - 0.8)), coverage(forms.distance_px[i]));
      }
      map.at(x, y) = c * (0.35 + 0.75 * shading.diffuse[i]) + Colour{1, 1, 1} * (0.08 * shading.specular[i]);
    }
  }
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    if (!drawing.parts[k].mark) continue;
    for (std::size_t i = 0; i < map.pixels.size(); ++i) {
      map.pixels[i] = map.pixels[i] * lerp(1, 0.35, coverage(drawing.distance_px[k][i] - 0.3));
    }
  }
  return map;
}

}  // namespace domainfusion
