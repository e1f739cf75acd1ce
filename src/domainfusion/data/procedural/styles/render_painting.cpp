#include <cmath>

#include "domainfusion/data/procedural/drawing/value_noise.h"
#include "domainfusion/data/procedural/styles/renderers.h"

namespace domainfusion {
namespace {

// The painter's choice of pigments: hues drawn towards a key, colours veiled by a tone.
struct Palette {
  double hue_shift, saturation;
  Colour veil;
  double veil_share;
};

Palette random_palette(RandomStream& random) {
  const Colour veils[] = {{0.75, 0.55, 0.3}, {0.3, 0.4, 0.6}, {0.65, 0.4, 0.45}, {0.4, 0.5, 0.35}};
  return {random.uniform(-0.06, 0.06), random.uniform(0.7, 1.1), veils[random.below(4)], random.uniform(0.1, 0.28)};
}

Colour pigment(Hsv colour, const Palette& palette) {
  return lerp(to_rgb({colour.hue + palette.hue_shift, colour.saturation * palette.saturation, colour.value}),
              palette.veil, palette.veil_share);
}

struct BrushStroke {
  double x, y, angle, half_length, half_width;
  Colour colour;
  std::uint64_t bristles;
};

// Lays one stroke: opaque in its middle, streaked by the bristles, thinning out towards its end.
void lay(ColourMap& map, const BrushStroke& s, double opacity) {
  const double c = std::cos(s.angle), n = std::sin(s.angle), reach = s.half_length + s.half_width;
  const ValueNoise bristles(s.bristles);
  const int x0 = std::max(0, static_cast<int>(s.x - reach)),
            x1 = std::min(map.size - 1, static_cast<int>(s.x + reach + 1));
  const int y0 = std::max(0, static_cast<int>(s.y - reach)),
            y1 = std::min(map.size - 1, static_cast<int>(s.y + reach + 1));
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const double along = (x - s.x) * c + (y - s.y) * n, across = (y - s.y) * c - (x - s.x) * n;
      const double past = std::max(std::abs(along) - s.half_length, 0.0);
      const double edge = coverage(std::sqrt(past * past + across * across) - s.half_width);
      if (edge <= 0) continue;
      const double streak = bristles.smooth(across * 1.3 + 40, along * 0.15) - 0.5;
      map.at(x, y) = lerp(map.at(x, y), s.colour * (1 + 0.28 * streak), edge * opacity * (0.9 + 0.2 * streak));
    }
  }
}

Colour jittered(Colour c, double amount, RandomStream& random) {
  const double light = random.uniform(-amount, amount);
  return {c.r + light + random.uniform(-amount, amount) * 0.5, c.g + light,
          c.b + light + random.uniform(-amount, amount) * 0.5};
}

ColourMap underpainting(int size, const Palette& palette, RandomStream& random) {
  const double hue = random.uniform(), step = random.uniform(0.05, 0.4);
  const Colour high = pigment({hue, random.uniform(0.1, 0.5), random.uniform(0.5, 0.95)}, palette);
  const Colour low = pigment({hue + step, random.uniform(0.2, 0.6), random.uniform(0.35, 0.75)}, palette);
  const double horizon = random.uniform(0.5, 0.8) * size, blur = random.uniform(2, 20);
  const ValueNoise noise(random.next_u64());
  ColourMap map(size);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double below = smooth_step(horizon - blur, horizon + blur, y + 8 * noise.cloud(x / 16.0, 2));
      map.at(x, y) = lerp(high, low, below) * (1 + 0.35 * noise.cloud(x / 14.0, y / 14.0));
    }
  }
  return map;
}

void brush_background(ColourMap& map, const ColourMap& model, RandomStream& random) {
  const ValueNoise flow(random.next_u64());
  const double lean = random.uniform(0, 3.14), swirl = random.uniform(0.5, 4);
  const int count = map.size * map.size / 20;
  for (int i = 0; i < count; ++i) {
    const double x = random.uniform() * map.size, y = random.uniform() * map.size;
    const double angle = lean + swirl * flow.cloud(x / 24, y / 24);
    const Colour colour = jittered(model.at(static_cast<int>(x), static_cast<int>(y)), 0.07, random);
    const double half_length = random.uniform(3.5, 7), half_width = random.uniform(1.0, 2.1);
    lay(map, {x, y, angle, half_length, half_width, colour, random.next_u64()}, 0.9);
  }
}

// Direction of the nearest contour at a pixel: along the visible part's border.
double contour_angle(const PixelMap& distance, int size, int x, int y) {
  const auto at = [&](int u, int v) {
    return distance[std::size_t(std::clamp(v, 0, size - 1)) * size + std::clamp(u, 0, size - 1)];
  };
  const double gx = at(x + 1, y) - at(x - 1, y), gy = at(x, y + 1) - at(x, y - 1);
  return std::atan2(gx, -gy);
}

// The distance map of the part that is seen at each pixel.
PixelMap visible_distance(const Drawing& drawing) {
  PixelMap map = drawing.silhouette_px;
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    for (std::size_t i = 0; i < map.size(); ++i) {
      if (drawing.distance_px[k][i] < 0) map[i] = drawing.distance_px[k][i];
    }
  }
  return map;
}

struct Brush {
  double half_length, half_width, jitter;
  int strokes;
};

void brush_object(ColourMap& map, const ColourMap& model, const Drawing& drawing, const PixelMap& forms,
                  const Brush& brush, RandomStream& random) {
  for (int i = 0; i < brush.strokes; ++i) {
    const double x = random.uniform() * map.size, y = random.uniform() * map.size, turn = random.uniform(-0.35, 0.35);
    const int px = static_cast<int>(x), py = static_cast<int>(y);
    const std::size_t at = std::size_t(py) * map.size + px;
    if (drawing.silhouette_px[at] > -0.2) continue;
    // Near a border the brush gets shorter and thinner, so that forms keep their edges.
    const double room = std::clamp(-forms[at] / 3, 0.35, 1.0);
    const double angle = contour_angle(forms, map.size, px, py) + turn;
    const Colour colour = jittered(model.at(px, py), brush.jitter, random);
    lay(map, {x, y, angle, brush.half_length * room, brush.half_width * room, colour, random.next_u64()}, 0.92);
  }
}

// The last thin touches: what is small or dark shows through the strokes.
void keep_details(ColourMap& map, const ColourMap& model, const Drawing& drawing) {
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    const double share = drawing.parts[k].detail ? 0.5 : 0.15;
    for (std::size_t i = 0; i < map.pixels.size(); ++i) {
      const double c = coverage(drawing.distance_px[k][i]);
      if (c > 0) map.pixels[i] = lerp(map.pixels[i], model.pixels[i], share * c);
    }
  }
}

void weave_canvas(ColourMap& map, RandomStream& random) {
  const double depth = random.uniform(0.015, 0.045);
  const ValueNoise noise(random.next_u64());
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const double thread = ((x + y) % 2 == 0 ? 0.5 : -0.5) + noise.lattice(x, y) - 0.5;
      map.at(x, y) = map.at(x, y) * (1 + depth * thread);
    }
  }
}

}  // namespace

ColourMap render_painting(const Drawing& drawing, RandomStream& random) {
  const Palette palette = random_palette(random);
  ColourMap model = underpainting(drawing.size_px, palette, random);
  ColourMap map = model;
  brush_background(map, model, random);
  paint_flat(model, drawing, [&](const Part& part) { return pigment(part.colour, palette); });
  const Shading shading = shade(relief(drawing, 0.7), map.size, random_light(random));
  for (std::size_t i = 0; i < model.pixels.size(); ++i) {
    const double inside = coverage(drawing.silhouette_px[i]);
    model.pixels[i] = model.pixels[i] * lerp(1, 0.5 + 0.6 * shading.diffuse[i], inside);
    map.pixels[i] = lerp(map.pixels[i], model.pixels[i], inside);
  }
  const PixelMap forms = visible_distance(drawing);
  brush_object(map, model, drawing, forms, {3.5, 1.3, 0.08, 900}, random);
  brush_object(map, model, drawing, forms, {1.8, 0.7, 0.05, 1500}, random);
  keep_details(map, model, drawing);
  weave_canvas(map, random);
  return map;
}

}  // namespace domainfusion
