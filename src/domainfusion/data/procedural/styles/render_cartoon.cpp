#include <cmath>

#include "domainfusion/data/procedural/styles/renderers.h"

namespace domainfusion {
namespace {

Colour bright(RandomStream& random) {
  const double hue = random.uniform(), saturation = random.uniform(0.25, 0.75);
  return to_rgb({hue, saturation, random.uniform(0.85, 1.0)});
}

void paint_hills(ColourMap& map, RandomStream& random) {
  const Colour ground = bright(random);
  const double level = random.uniform(0.6, 0.85) * map.size, wave = random.uniform(0, 5),
               phase = random.uniform(0, 6.28);
  for (int x = 0; x < map.size; ++x) {
    const double edge = level + wave * std::sin(phase + x * 0.09);
    for (int y = 0; y < map.size; ++y) map.at(x, y) = lerp(map.at(x, y), ground, coverage(edge - y));
  }
}

void paint_dots(ColourMap& map, RandomStream& random) {
  const Colour ink = bright(random);
  const double pitch = random.uniform(9, 16), radius = pitch * random.uniform(0.15, 0.3),
               shift = random.uniform(0, pitch);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const double u = std::fmod(x + shift + pitch, pitch) - pitch / 2, v = std::fmod(y + shift, pitch) - pitch / 2;
      map.at(x, y) = lerp(map.at(x, y), ink, 0.6 * coverage(std::sqrt(u * u + v * v) - radius));
    }
  }
}

void paint_rays(ColourMap& map, RandomStream& random) {
  const Colour ink = bright(random);
  const double turn = random.uniform(0, 6.28), rays = 5 + static_cast<double>(random.below(4));
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const double angle = std::atan2(y - map.size / 2.0, x - map.size / 2.0) * rays + turn;
      map.at(x, y) = lerp(map.at(x, y), ink, 0.5 * smooth_step(-0.15, 0.15, std::sin(angle)));
    }
  }
}

void paint_background(ColourMap& map, RandomStream& random) {
  const double kind = random.uniform();
  if (kind < 0.4)
    paint_hills(map, random);
  else if (kind < 0.55)
    paint_dots(map, random);
  else if (kind < 0.7)
    paint_rays(map, random);
}

// Two tones: lit and shaded, with a hard border, as animators paint.
double cel_tone(double diffuse) { return diffuse < 0.55 ? 0.78 : 1.0; }

void paint_part(ColourMap& map, const Part& part, const PixelMap& distance, const Shading& shading, double pen_px) {
  const Colour flat =
      to_rgb({part.colour.hue, std::min(part.colour.saturation * 1.25, 1.0), std::min(part.colour.value * 1.12, 1.0)});
  const Colour ink{0.06, 0.05, 0.09};
  const double pen = part.detail ? pen_px * 0.6 : pen_px;
  for (std::size_t i = 0; i < map.pixels.size(); ++i) {
    const double d = distance[i];
    if (d > 3) continue;
    if (!part.mark) map.pixels[i] = lerp(map.pixels[i], ink, coverage(d - pen));
    const Colour fill = part.mark ? flat : flat * cel_tone(shading.diffuse[i]);
    map.pixels[i] = lerp(map.pixels[i], fill, coverage(d));
  }
}

}  // namespace

ColourMap render_cartoon(const Drawing& drawing, RandomStream& random) {
  ColourMap map(drawing.size_px, random.uniform() < 0.25 ? Colour{0.97, 0.97, 0.96} : bright(random));
  paint_background(map, random);
  const Light light = random_light(random);
  const Shading shading = shade(relief(drawing, 0.8), map.size, light);
  const double pen_px = random.uniform(1.0, 1.7);
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    paint_part(map, drawing.parts[k], drawing.distance_px[k], shading, pen_px);
  }
  return map;
}

}  // namespace domainfusion
