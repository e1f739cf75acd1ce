#include <cmath>

#include "domainfusion/data/procedural/drawing/value_noise.h"
#include "domainfusion/data/procedural/styles/renderers.h"

namespace domainfusion {
namespace {

struct Pencil {
  double width_px, waver_px, pressure, angle, pitch_px;
};

Pencil random_pencil(RandomStream& random) {
  return {random.uniform(0.5, 0.85), random.uniform(0.5, 1.2), random.uniform(0.8, 1.0), random.uniform(0.5, 1.1),
          random.uniform(2.6, 3.6)};
}

// Darkness of pencil lines along the border of a part: one firm line and one lighter one beside it.
double contour(double d, double x, double y, const Pencil& pencil, const ValueNoise& hand) {
  const double firm = d + pencil.waver_px * 2 * hand.cloud(x / 9, y / 9);
  const double loose = d - 0.4 + pencil.waver_px * 3.2 * hand.cloud(x / 13 + 50, y / 13 + 50);
  const double pressure = 0.85 + 0.5 * hand.cloud(x / 6 + 90, y / 6);
  return std::max(pressure * coverage(std::abs(firm) - pencil.width_px),
                  0.45 * coverage(std::abs(loose) - pencil.width_px * 0.6));
}

double hatching(double x, double y, double angle, const Pencil& pencil, const ValueNoise& hand) {
  const double across = x * std::sin(angle) + y * std::cos(angle), along = x * std::cos(angle) - y * std::sin(angle);
  const double turn = across / pencil.pitch_px + 0.5 * hand.cloud(along / 12, across / 7);
  const double away = std::abs(turn - std::floor(turn) - 0.5) * pencil.pitch_px;
  return coverage(away - 0.25) * (0.7 + hand.cloud(along / 4, across / 3));
}

struct Graphite {
  PixelMap line, tone;  // darkness of the lines, and how light the surface is: both [0, 1]
};

Graphite draw_lines(const Drawing& drawing, const Pencil& pencil, RandomStream& random) {
  Graphite g{PixelMap(drawing.silhouette_px.size(), 0), PixelMap(drawing.silhouette_px.size(), 1)};
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    const Part& part = drawing.parts[k];
    const ValueNoise hand(random.next_u64());
    const double light = luma(to_rgb(part.colour));
    for (std::size_t i = 0; i < g.line.size(); ++i) {
      const double d = drawing.distance_px[k][i], c = coverage(d);
      if (d > 4) continue;
      const double x = static_cast<double>(i % drawing.size_px), y = static_cast<double>(i / drawing.size_px);
      g.line[i] *= 1 - c;
      g.line[i] = std::max(g.line[i], part.mark ? 0.85 * c : contour(d, x, y, pencil, hand));
      if (!part.mark) g.tone[i] = lerp(g.tone[i], light, c);
    }
  }
  return g;
}

// Loose lines on the paper around the object: a ground line and a scribbled shadow.
double surroundings(double x, double y, double size, double ground, const Pencil& pencil, const ValueNoise& hand) {
  const double level = ground + 3 * hand.cloud(x / 20, 3);
  const double border = 0.4 * coverage(std::abs(y - level) - 0.4) * smooth_step(0.3, 0.5, hand.smooth(x / 9, 8));
  const double below = smooth_step(level, level + 2, y) * smooth_step(0.55, 0.75, hand.smooth(x / 14, y / 10));
  return std::max(border, 0.5 * below * hatching(x, y, 0.15, pencil, hand));
}

}  // namespace

ColourMap render_sketch(const Drawing& drawing, RandomStream& random) {
  const Pencil pencil = random_pencil(random);
  const Graphite g = draw_lines(drawing, pencil, random);
  const Light light = random_light(random);
  const Shading shading = shade(relief(drawing, 0.8), drawing.size_px, light);
  const ValueNoise hand(random.next_u64()), grain(random.next_u64());
  const double paper = random.uniform(0.88, 0.98), warm = random.uniform(0, 0.05), ink = random.uniform(0.08, 0.25);
  const double ground = random.uniform(0.7, 1.1) * drawing.size_px, lean = light.x > 0 ? 1 : -1;
  const double shadow = random.uniform(0.45, 0.65);
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = std::size_t(y) * map.size + x;
      const double inside = coverage(drawing.silhouette_px[i]);
      const double lit = shading.diffuse[i] * (0.45 + 0.55 * g.tone[i]);
      const double hatch =
          std::max(smooth_step(shadow, shadow - 0.15, lit) * hatching(x, y, lean * pencil.angle, pencil, hand),
                   smooth_step(0.32, 0.2, lit) * hatching(x, y, -lean * 0.6, pencil, hand));
      const double around = surroundings(x, y, map.size, ground, pencil, hand) * (1 - inside);
      const double dark = clamp01(std::max({g.line[i], 0.75 * hatch * inside, around})) * pencil.pressure;
      const double tooth = 1 - 0.25 * grain.lattice(x, y);
      const Colour sheet = Colour{paper, paper - warm * 0.4, paper - warm} * (1 - 0.03 * grain.lattice(x + 99, y));
      map.at(x, y) = lerp(sheet, Colour{ink, ink, ink}, dark * tooth);
    }
  }
  return map;
}

}  // namespace domainfusion
