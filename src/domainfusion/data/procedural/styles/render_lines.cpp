// Styles of few tones: woodcut, chalk on a board, neon tubes, silhouettes.
#include <cmath>

#include "domainfusion/data/procedural/drawing/value_noise.h"
#include "domainfusion/data/procedural/styles/forms.h"

namespace domainfusion {
namespace {

PixelMap marks_of(const Drawing& drawing) {
  PixelMap marks(drawing.silhouette_px.size(), 0);
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    for (std::size_t i = 0; i < marks.size(); ++i) {
      const double c = coverage(drawing.distance_px[k][i]);
      marks[i] = drawing.parts[k].mark ? std::max(marks[i], c) : marks[i] * (1 - c);
    }
  }
  return marks;
}

}  // namespace

ColourMap render_woodcut(const Drawing& drawing, RandomStream& random) {
  const Forms forms = forms_of(drawing);
  const PixelMap lit = shade(relief(drawing, 0.9), drawing.size_px, random_light(random)).diffuse;
  const PixelMap marks = marks_of(drawing);
  const Colour paper = to_rgb({random.uniform(0.06, 0.14), random.uniform(0.05, 0.3), random.uniform(0.8, 0.95)});
  const Colour ink = to_rgb({random.uniform(), random.uniform(0.2, 0.9), random.uniform(0.08, 0.35)});
  const double pitch = random.uniform(3.2, 4.6), angle = random.uniform(0, 3.14), bend = random.uniform(0, 0.6);
  const double ground = random.uniform(0.25, 0.75);
  const ValueNoise grain(random.next_u64());
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = clamped_place(map.size, x, y);
      const bool inside = forms.part[i] >= 0;
      // The gouge leaves grooves whose width is the tone; inside they follow the forms.
      const double turn = inside ? angle + 1.2 * forms.part[i] + bend * forms.distance_px[i] / 6
                                 : angle * 0.3 + bend * std::sin(y / 9.0);
      const double across = (x * std::sin(turn) + y * std::cos(turn)) / pitch;
      const double groove = std::abs(across - std::floor(across) - 0.5) * 2;
      const double tone =
          inside ? clamp01(lit[i] * (0.35 + 0.75 * luma(to_rgb(drawing.parts[std::size_t(forms.part[i])].colour))))
                 : ground;
      double black = smooth_step(-0.15, 0.15, groove - tone + 0.25 * grain.cloud(x / 3.0, y / 3.0));
      black = std::max({black, coverage(forms.border_px[i] - 0.9), marks[i]});
      if (!inside) black *= smooth_step(0.5, 2.2, forms.distance_px[i]);  // a cleared rim around the object
      map.at(x, y) = lerp(paper, ink, black * (0.9 + 0.2 * grain.cloud(x / 2.0, y / 9.0)));
    }
  }
  return map;
}

ColourMap render_chalkboard(const Drawing& drawing, RandomStream& random) {
  const Forms forms = forms_of(drawing);
  const PixelMap marks = marks_of(drawing);
  const Colour board = random.uniform() < 0.5 ? Colour{0.12, 0.24, 0.18} : Colour{0.13, 0.14, 0.16};
  const double width = random.uniform(0.8, 1.3), fill = random.uniform(0.1, 0.6), lean = random.uniform(0.5, 1.1);
  const bool coloured = random.uniform() < 0.6;
  const ValueNoise tooth(random.next_u64()), dust(random.next_u64()), hand(random.next_u64());
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = clamped_place(map.size, x, y);
      const Colour chalk = coloured && forms.part[i] >= 0
                               ? lerp(to_rgb(drawing.parts[std::size_t(forms.part[i])].colour), {1, 1, 1}, 0.45)
                               : Colour{0.94, 0.93, 0.9};
      const double waver = 1.6 * hand.cloud(x / 10.0, y / 10.0);
      const double across = (x * std::sin(lean) + y * std::cos(lean)) / 2.6;
      const double stripe = smooth_step(0.2, 0.5, std::abs(across - std::floor(across) - 0.5) * 2);
      const double area =
          forms.part[i] >= 0 ? fill * stripe * smooth_step(0.35, 0.65, hand.smooth(x / 7.0, y / 7.0)) : 0;
      const double line = std::max(coverage(std::abs(forms.border_px[i] + waver * 0.5) - width), marks[i]);
      const double worn = 0.45 + 0.75 * tooth.lattice(x, y);
      const Colour slate = board * (1 + 0.35 * dust.cloud(x / 15.0, y / 11.0)) +
                           Colour{0.07, 0.07, 0.07} * smooth_step(0.5, 0.9, dust.smooth(x / 18.0, y / 7.0));
      map.at(x, y) = lerp(slate, chalk, clamp01(std::max(line, area) * worn));
    }
  }
  return map;
}

ColourMap render_neon(const Drawing& drawing, RandomStream& random) {
  const Forms forms = forms_of(drawing);
  const PixelMap marks = marks_of(drawing);
  const double hue = random.uniform(), spread = random.uniform(0, 0.5), reach = random.uniform(1.6, 3.2);
  const Colour wall = to_rgb({random.uniform(), random.uniform(0.2, 0.7), random.uniform(0.04, 0.2)});
  const bool bricks = random.uniform() < 0.5;
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = clamped_place(map.size, x, y);
      const int row = y / 5, shift = row % 2 == 0 ? 0 : 5;
      const bool joint = bricks && (y % 5 == 0 || (x + shift) % 10 == 0);
      // Tubes run along the outline and the larger parts within; a detail has a tube of its own colour.
      const double d = forms.border_px[i];
      const int part = std::max(forms.part[i], 0);
      const Colour gas = to_rgb({hue + spread * part, 0.85, 1});
      const double tube = std::max(coverage(d - 0.75), marks[i]), halo = std::exp(-d / reach);
      const Colour lit = wall * (joint ? 0.6 : 1.0) + gas * (0.55 * halo);
      map.at(x, y) = lerp(lit, lerp(gas, {1, 1, 1}, 0.55), tube);
    }
  }
  return map;
}

ColourMap render_silhouette(const Drawing& drawing, RandomStream& random) {
  const double hue = random.uniform(), turn = random.uniform(-0.2, 0.2);
  const double glow_x = random.uniform() * drawing.size_px, glow_y = random.uniform(0.2, 0.8) * drawing.size_px;
  const Colour dark = to_rgb({random.uniform(), random.uniform(0.2, 0.9), random.uniform(0.02, 0.3)});
  const Colour high = to_rgb({hue, random.uniform(0.2, 0.7), random.uniform(0.6, 0.95)});
  const Colour low = to_rgb({hue + turn, random.uniform(0.1, 0.6), random.uniform(0.75, 1.0)});
  const double ground = random.uniform(0.8, 1.2) * drawing.size_px, gap = random.uniform(0.5, 1.0);
  const bool cut_out = random.uniform() < 0.5;  // inner borders shine through, as in cut paper
  const Forms forms = forms_of(drawing);
  const PixelMap marks = marks_of(drawing);
  ColourMap map(drawing.size_px);
  for (int y = 0; y < map.size; ++y) {
    for (int x = 0; x < map.size; ++x) {
      const std::size_t i = clamped_place(map.size, x, y);
      const double away = std::sqrt((x - glow_x) * (x - glow_x) + (y - glow_y) * (y - glow_y)) / map.size;
      const Colour sky = lerp(high, low, static_cast<double>(y) / map.size) * (1.1 - 0.3 * away);
      double black = std::max(coverage(drawing.silhouette_px[i]), coverage(ground - y));
      if (cut_out && forms.part[i] >= 0 && drawing.silhouette_px[i] < -1.5) {
        black *= 1 - std::max(coverage(forms.border_px[i] - gap), marks[i]);
      }
      map.at(x, y) = lerp(sky, dark, black);
    }
  }
  return map;
}

}  // namespace domainfusion
