#include <cmath>

#include "domainfusion/data/procedural/drawing/value_noise.h"
#include "domainfusion/data/procedural/styles/renderers.h"

namespace domainfusion {
namespace {

Colour muted(RandomStream& random, double low, double high) {
  const double hue = random.uniform(), saturation = random.uniform(0.05, 0.4), value = random.uniform(low, high);
  return to_rgb({hue, saturation, value});
}

// A wall above a table or a sky above a field, each with its own gradient and grain.
void paint_two_planes(ColourMap& map, RandomStream& random) {
  const Colour high = muted(random, 0.45, 0.95), low = muted(random, 0.3, 0.8);
  const double horizon = random.uniform(0.4, 0.75) * map.size, tilt = random.uniform(-0.08, 0.08);
  const double grain_high = random.uniform(0.02, 0.1), grain_low = random.uniform(0.04, 0.18);
  const double cell = random.uniform(3, 12), blur = random.uniform(0.8, 4);
  const ValueNoise noise(random.next_u64());
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const double edge = horizon + tilt * (x - map.size / 2), below = smooth_step(edge - blur, edge + blur, y);
      const double wave = noise.cloud(x / cell, y / (cell * lerp(1, 0.4, below)));
      const double fall = lerp(1.08 - 0.2 * y / map.size, 0.8 + 0.35 * y / map.size, below);
      map.at(x, y) = lerp(high, low, below) * (fall + wave * lerp(grain_high, grain_low, below) * 2);
    }
  }
}

// Things out of focus.
void paint_clutter(ColourMap& map, RandomStream& random) {
  const int count = 2 + static_cast<int>(random.below(6));
  for (int i = 0; i < count; ++i) {
    const Colour colour = muted(random, 0.25, 1.0);
    const double cx = random.uniform() * map.size, cy = random.uniform() * map.size;
    const double rx = random.uniform(3, 12), ry = random.uniform(3, 12), soft = random.uniform(1.5, 5);
    const double opacity = random.uniform(0.35, 0.8);
    const bool round = random.uniform() < 0.6;
    for (int y = 0; y < map.size; ++y) {
      for (int x = 0; x < map.size; ++x) {
        const double dx = std::abs(x - cx), dy = std::abs(y - cy);
        const double d = round ? std::sqrt(dx * dx + dy * dy) - rx : std::max(dx - rx, dy - ry);
        map.at(x, y) = lerp(map.at(x, y), colour, opacity * (1 - smooth_step(-soft, soft, d)));
      }
    }
  }
}

// The silhouette, shifted away from the light and blurred, darkens the background.
void cast_shadow(ColourMap& map, const Drawing& drawing, const Light& light, double strength) {
  const int dx = static_cast<int>(std::lround(-light.x * 7)), dy = static_cast<int>(std::lround(-light.y * 5));
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const int sx = std::clamp(x - dx, 0, map.size - 1), sy = std::clamp(y - dy, 0, map.size - 1);
      const double d = drawing.silhouette_px[std::size_t(sy) * map.size + sx];
      map.at(x, y) = map.at(x, y) * (1 - strength * (1 - smooth_step(-4, 4, d)));
    }
  }
}

void light_object(ColourMap& map, const ColourMap& albedo, const Drawing& drawing, const Light& light,
                  RandomStream& random) {
  const Shading shading = shade(relief(drawing, 0.8), map.size, light);
  const double ambient = random.uniform(0.3, 0.42), gloss = random.uniform(0.1, 0.6),
               grain = random.uniform(0.01, 0.06);
  const ValueNoise noise(random.next_u64());
  for (std::size_t i = 0; i < map.pixels.size(); ++i) {
    double c = coverage(drawing.silhouette_px[i]);
    for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
      if (drawing.parts[k].mark) c = std::max(c, coverage(drawing.distance_px[k][i]));
    }
    if (c <= 0) continue;
    const double x = static_cast<double>(i % map.size), y = static_cast<double>(i / map.size);
    const double surface = 1 + grain * 2 * noise.cloud(x / 2.5, y / 2.5);
    const double bright = (ambient + (1.12 - ambient) * shading.diffuse[i]) * surface,
                 shine = gloss * shading.specular[i];
    map.pixels[i] = lerp(map.pixels[i], albedo.pixels[i] * bright + Colour{shine, shine, shine}, c);
  }
}

void expose(ColourMap& map, RandomStream& random) {
  const double noise = random.uniform(0.004, 0.016), vignette = random.uniform(0, 0.3),
               gain = random.uniform(0.88, 1.08);
  const Colour cast{random.uniform(0.95, 1.05), 1, random.uniform(0.93, 1.05)};
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const double u = 2.0 * x / map.size - 1, v = 2.0 * y / map.size - 1;
      const double k = gain * (1 - vignette * 0.5 * (u * u + v * v));
      Colour& c = map.at(x, y);
      const double grain = noise * (random.uniform() + random.uniform() + random.uniform() - 1.5) * 2;
      c = Colour{c.r * cast.r, c.g * cast.g, c.b * cast.b} * k + Colour{grain, grain, grain};
    }
  }
}

}  // namespace

ColourMap render_photo(const Drawing& drawing, RandomStream& random) {
  ColourMap map(drawing.size_px);
  paint_two_planes(map, random);
  if (random.uniform() < 0.55) paint_clutter(map, random);
  const Light light = random_light(random);
  cast_shadow(map, drawing, light, random.uniform(0.3, 0.6));
  ColourMap albedo = map;
  paint_flat(albedo, drawing, [](const Part& part) {
    return to_rgb({part.colour.hue, part.colour.saturation * 0.9, part.colour.value});
  });
  light_object(map, albedo, drawing, light, random);
  expose(map, random);
  return map;
}

}  // namespace domainfusion
