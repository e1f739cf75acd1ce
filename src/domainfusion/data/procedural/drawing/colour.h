#pragma once
// Colours in [0, 1] (display values, no gamma) and a small picture of them.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "domainfusion/data/procedural/drawing/shape.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct Colour {
  double r = 0, g = 0, b = 0;
};
inline Colour operator+(Colour a, Colour b) { return {a.r + b.r, a.g + b.g, a.b + b.b}; }
inline Colour operator*(Colour a, double k) { return {a.r * k, a.g * k, a.b * k}; }
inline double lerp(double a, double b, double t) { return a + (b - a) * t; }
inline Colour lerp(Colour a, Colour b, double t) { return {lerp(a.r, b.r, t), lerp(a.g, b.g, t), lerp(a.b, b.b, t)}; }
inline double luma(Colour c) { return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b; }
inline double clamp01(double v) { return std::clamp(v, 0.0, 1.0); }
// 0 below `low`, 1 above `high`, smooth between.
inline double smooth_step(double low, double high, double v) {
  const double t = clamp01((v - low) / (high - low));
  return t * t * (3 - 2 * t);
}

// Hue wraps around; saturation and value are clamped to [0, 1].
inline Colour to_rgb(Hsv c) {
  const double s = clamp01(c.saturation), v = clamp01(c.value);
  const auto channel = [&](double shift) {
    const double turn = c.hue + shift, x = std::abs((turn - std::floor(turn)) * 6 - 3) - 1;
    return v * (1 - s + s * clamp01(x));
  };
  return {channel(0), channel(2.0 / 3), channel(1.0 / 3)};
}

// A square picture, row by row.
struct ColourMap {
  int size = 0;
  std::vector<Colour> pixels;
  explicit ColourMap(int size_px, Colour fill = {}) : size(size_px), pixels(std::size_t(size_px) * size_px, fill) {}
  Colour& at(int x, int y) { return pixels[std::size_t(y) * size + x]; }
  const Colour& at(int x, int y) const { return pixels[std::size_t(y) * size + x]; }
};

// Rounds to 8 bits; values outside [0, 1] are clamped.
inline Image to_image(const ColourMap& map) {
  Image image;
  image.height = image.width = map.size;
  image.rgb.reserve(map.pixels.size() * 3);
  for (const Colour& c : map.pixels) {
    for (const double v : {c.r, c.g, c.b}) image.rgb.push_back(static_cast<std::uint8_t>(clamp01(v) * 255 + 0.5));
  }
  return image;
}

}  // namespace domainfusion
