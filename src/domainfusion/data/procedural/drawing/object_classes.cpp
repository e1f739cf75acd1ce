#include "domainfusion/data/procedural/drawing/object_classes.h"

#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr Hsv kInk{0.07, 0.35, 0.12};
constexpr Hsv kWhite{0.12, 0.04, 0.97};

bool chance(RandomStream& random, double probability) { return random.uniform() < probability; }

double wrapped(double hue) { return hue - std::floor(hue); }

Hsv vivid(RandomStream& random) { return {random.uniform(), random.uniform(0.5, 0.85), random.uniform(0.6, 0.95)}; }

Hsv near(Hsv base, RandomStream& random, double spread = 0.03) {
  return {wrapped(base.hue + random.uniform(-spread, spread)), base.saturation * random.uniform(0.85, 1.0),
          base.value * random.uniform(0.85, 1.05)};
}

Hsv darker(Hsv colour, double factor) { return {colour.hue, colour.saturation, colour.value * factor}; }
Hsv paler(Hsv colour) { return {colour.hue, colour.saturation * 0.35, 0.5 + 0.5 * colour.value}; }

Part body(std::vector<Primitive> primitives, Hsv colour, double roundness = 0.35, double blend = 0) {
  return {std::move(primitives), colour, blend, roundness, false, false};
}
Part detail(std::vector<Primitive> primitives, Hsv colour, double roundness = 0.06) {
  return {std::move(primitives), colour, 0, roundness, true, false};
}
Part mark(std::vector<Primitive> primitives, Hsv colour = kInk) {
  return {std::move(primitives), colour, 0, 0, true, true};
}

// Draws that stand in one call are written in braces, where the order of evaluation is fixed.
std::vector<Part> make_apple(RandomStream& random) {
  const double hues[] = {0.99, 0.02, 0.13, 0.26};
  const Hsv skin = near({hues[random.below(4)], 0.8, 0.85}, random);
  const double lobe = random.uniform(0.26, 0.34), tall = random.uniform(0.58, 0.68);
  const double lean = random.uniform(-0.15, 0.15);
  std::vector<Part> parts;
  std::vector<Primitive> flesh = {ellipse({-lobe, 0.2}, 0.5, tall, 0.12), ellipse({lobe, 0.2}, 0.5, tall, -0.12)};
  if (chance(random, 0.2)) {
    const double side = chance(random, 0.5) ? 1 : -1;
    flesh.push_back(cut(ellipse({side * 0.88, 0.12}, 0.27, 0.27)));
    flesh.push_back(cut(ellipse({side * 0.82, 0.42}, 0.2, 0.2)));
  }
  parts.push_back(body({stroke({0, -0.3}, {0.01, -0.6}, {lean, -0.9}, 0.06)}, {0.08, 0.6, 0.32}, 0.06));
  parts.push_back(body(std::move(flesh), skin, 0.6, 0.12));
  parts.push_back(mark({stroke({-0.2, -0.3}, {0, -0.18}, {0.2, -0.3}, 0.03)}, darker(skin, 0.4)));
  const double tip = random.uniform(0.5, 0.66), drop = random.uniform(-0.95, -0.7);
  const Point root{lean * 0.5, -0.55};
  parts.push_back(
      body({blob({root, {0.2, drop - 0.12}, {tip, drop}, {0.38, -0.42}})}, near({0.31, 0.7, 0.6}, random, 0.05), 0.12));
  parts.push_back(detail({ellipse({-0.38, -0.02}, 0.09, 0.17, 0.4)}, paler(skin), 0));
  return parts;
}

std::vector<Part> make_car(RandomStream& random) {
  const Hsv paint = vivid(random);
  const double wheel = random.uniform(0.2, 0.26), axle = random.uniform(0.5, 0.58);
  const double roof = random.uniform(-0.52, -0.4);
  const double back = random.uniform(-0.85, -0.5), front = random.uniform(0.1, 0.3);
  const Point rear_low{back - 0.08, -0.02}, front_low{front + 0.36, -0.02};
  const Hsv glass = near({0.55, 0.3, 0.85}, random, 0.04);
  std::vector<Part> parts;
  parts.push_back(body({polygon({rear_low, {back + 0.1, roof}, {front, roof}, front_low}, 0.06)}, paint, 0.2));
  const double middle = 0.5 * (back + front) + 0.04;
  parts.push_back(detail(
      {polygon(
          {{back + 0.07, -0.06}, {back + 0.17, roof + 0.07}, {middle - 0.05, roof + 0.07}, {middle - 0.05, -0.06}})},
      glass));
  parts.push_back(detail(
      {polygon(
          {{middle + 0.05, -0.06}, {middle + 0.05, roof + 0.07}, {front - 0.03, roof + 0.07}, {front + 0.22, -0.06}})},
      glass));
  parts.push_back(body({box({0, 0.19}, 0.98, 0.25, random.uniform(0.1, 0.2))}, paint, 0.25));
  parts.push_back(mark({line({middle, 0.0}, {middle, 0.36}, 0.022)}, darker(paint, 0.4)));
  parts.push_back(mark({line({middle + 0.09, 0.1}, {middle + 0.2, 0.1}, 0.025)}, darker(paint, 0.35)));
  parts.push_back(detail({ellipse({0.86, 0.12}, 0.09, 0.1)}, {0.14, 0.45, 1.0}));
  parts.push_back(detail({box({-0.92, 0.13}, 0.05, 0.08)}, {0.0, 0.85, 0.8}));
  for (const double x : {-axle, axle}) {
    parts.push_back(body({ellipse({x, 0.45}, wheel, wheel)}, {0.6, 0.15, 0.17}, 0.1));
    parts.push_back(detail({ellipse({x, 0.45}, wheel * 0.48, wheel * 0.48)}, {0.6, 0.05, 0.8}));
  }
  return parts;
}

void add_cat_ears(std::vector<Part>& parts, Hsv fur, double spread, double tip) {
  for (const double side : {-1.0, 1.0}) {
    parts.push_back(
        body({polygon({{side * 0.78, -0.05}, {side * (spread + 0.1), tip}, {side * 0.12, -0.45}}, 0.04)}, fur, 0.15));
    parts.push_back(
        detail({polygon({{side * 0.64, -0.25}, {side * (spread + 0.06), tip + 0.22}, {side * 0.33, -0.42}}, 0.02)},
               {0.97, 0.4, 0.9}));
  }
}

std::vector<Part> make_cat(RandomStream& random) {
  const double hues[] = {0.07, 0.1, 0.08, 0.6};
  const double saturations[] = {0.7, 0.5, 0.15, 0.15};
  const std::size_t kind = random.below(4);
  const Hsv fur = near({hues[kind], saturations[kind], random.uniform(0.5, 0.95)}, random);
  const Hsv eye = near({chance(random, 0.5) ? 0.27 : 0.14, 0.7, 0.85}, random, 0.04);
  const double eye_x = random.uniform(0.3, 0.38), eye_y = random.uniform(-0.02, 0.08);
  const double look = random.uniform(-0.05, 0.05);
  const Point ear{random.uniform(0.5, 0.62), random.uniform(-0.98, -0.85)};
  const Point cheeks{random.uniform(0.8, 0.9), random.uniform(0.66, 0.74)};
  std::vector<Part> parts;
  add_cat_ears(parts, fur, ear.x, ear.y);
  parts.push_back(body({ellipse({0, 0.18}, cheeks.x, cheeks.y)}, fur, 0.6));
  if (chance(random, 0.5)) {
    for (const double x : {-0.16, 0.0, 0.16}) {
      parts.push_back(mark({line({x, -0.46}, {x * 0.8, -0.24}, 0.045)}, darker(fur, 0.45)));
    }
  }
  parts.push_back(detail({ellipse({-0.15, 0.46}, 0.22, 0.19), ellipse({0.15, 0.46}, 0.22, 0.19)}, paler(fur), 0.15));
  for (const double side : {-1.0, 1.0}) {
    parts.push_back(detail({ellipse({side * eye_x, eye_y}, 0.18, 0.17)}, eye));
    parts.push_back(detail({ellipse({side * eye_x + look, eye_y}, 0.075, 0.15)}, kInk));
  }
  parts.push_back(detail({polygon({{-0.1, 0.27}, {0.1, 0.27}, {0, 0.38}}, 0.03)}, {0.97, 0.5, 0.8}));
  parts.push_back(
      mark({stroke({0, 0.4}, {-0.03, 0.58}, {-0.2, 0.53}, 0.028), stroke({0, 0.4}, {0.03, 0.58}, {0.2, 0.53}, 0.028)}));
  const double droop = random.uniform(-0.05, 0.12);
  for (const double side : {-1.0, 1.0}) {
    parts.push_back(mark({line({side * 0.36, 0.4}, {side * 1.0, 0.28 + droop}, 0.02),
                          line({side * 0.36, 0.48}, {side * 1.0, 0.5 + droop}, 0.02)}));
  }
  return parts;
}

std::vector<Part> make_cup(RandomStream& random) {
  const Hsv glaze = chance(random, 0.25) ? Hsv{0.1, 0.08, 0.93} : vivid(random);
  const double top = random.uniform(0.52, 0.62), bottom = top * random.uniform(0.68, 1.0);
  const double high = random.uniform(-0.6, -0.45), low = random.uniform(0.6, 0.72);
  std::vector<Part> parts;
  if (chance(random, 0.4)) {
    parts.push_back(body({ellipse({0, low + 0.06}, 0.95, 0.2)}, near(paler(glaze), random), 0.15));
  }
  const double bow = random.uniform(0.9, 1.02);
  parts.push_back(body({stroke({top - 0.1, -0.28}, {bow + 0.34, -0.34}, {bow - 0.05, 0.1}, 0.085),
                        stroke({bow - 0.05, 0.1}, {bow - 0.18, 0.4}, {bottom - 0.06, 0.4}, 0.085)},
                       glaze, 0.09));
  parts.push_back(body({polygon({{-top, high},
                                 {top, high},
                                 {bottom, low - 0.06},
                                 {bottom - 0.1, low},
                                 {0.1 - bottom, low},
                                 {-bottom, low - 0.06}},
                                0.03)},
                       glaze, 0.24));
  if (chance(random, 0.55)) {
    const double at = random.uniform(0.05, 0.25), half = random.uniform(0.07, 0.14);
    const double edge = top + (bottom - top) * (at - high) / (low - high);
    parts.push_back(detail({box({0, at}, edge, half, 0.02)}, vivid(random), 0));
  }
  parts.push_back(detail({ellipse({0, high}, top + 0.04, 0.17)}, paler(glaze), 0.05));
  parts.push_back(detail({ellipse({0, high + 0.025}, top - 0.06, 0.11)}, near({0.07, 0.7, 0.32}, random), 0));
  if (chance(random, 0.4)) {
    for (const double x : {-0.2, 0.15}) {
      parts.push_back(mark({stroke({x, -0.72}, {x - 0.12, -0.82}, {x, -0.9}, 0.03),
                            stroke({x, -0.9}, {x + 0.12, -0.98}, {x, -1.06}, 0.03)},
                           {0.6, 0.03, 0.88}));
    }
  }
  return parts;
}

std::vector<Part> make_fish(RandomStream& random) {
  const Hsv scales = vivid(random);
  const Hsv fins = near({wrapped(scales.hue + random.uniform(-0.12, 0.12)), 0.75, 0.8}, random);
  const double tall = random.uniform(0.38, 0.55), fork = random.uniform(0.3, 0.42);
  std::vector<Part> parts;
  parts.push_back(body({polygon({{-0.45, 0}, {-0.98, -fork}, {-0.84, 0}, {-0.98, fork}}, 0.04)}, fins, 0.1));
  parts.push_back(body({blob({{-0.35, -0.2}, {-0.15, -tall - 0.34}, {0.2, -tall - 0.2}, {0.5, -0.15}})}, fins, 0.1));
  parts.push_back(body({polygon({{-0.2, 0.25}, {-0.32, tall + 0.18}, {0.12, tall * 0.9}}, 0.03)}, fins, 0.1));
  parts.push_back(body({blob({{-0.78, 0},
                              {-0.3, -tall * 0.95},
                              {0.3, -tall * 1.25},
                              {1.08, -0.12},
                              {1.08, 0.12},
                              {0.3, tall * 1.25},
                              {-0.3, tall * 0.95}})},
                       scales, 0.45));
  if (chance(random, 0.6)) {
    const Hsv band = chance(random, 0.5) ? kWhite : vivid(random);
    const double width = random.uniform(0.055, 0.085);
    for (const double x : {-0.32, 0.02}) {
      const double reach = (x < -0.2 ? 0.5 : 0.78) * tall;
      parts.push_back(detail({stroke({x, -reach}, {x + 0.12, 0}, {x, reach}, width)}, band, 0));
    }
  }
  parts.push_back(mark({stroke({0.4, -0.3}, {0.28, 0}, {0.4, 0.3}, 0.025)}, darker(scales, 0.4)));
  parts.push_back(detail({polygon({{0.22, 0.06}, {-0.04, 0.02}, {0.0, 0.24}}, 0.03)}, fins, 0.05));
  parts.push_back(detail({ellipse({0.62, -0.12}, 0.13, 0.13)}, kWhite));
  parts.push_back(detail({ellipse({0.65, -0.12}, 0.065, 0.065)}, kInk));
  parts.push_back(mark({stroke({0.92, 0.1}, {0.8, 0.14}, {0.74, 0.08}, 0.025)}));
  return parts;
}

Part house_window(double x, double y, double half) { return detail({box({x, y}, half, half)}, {0.56, 0.35, 0.85}); }

std::vector<Part> make_house(RandomStream& random) {
  const Hsv walls = {random.uniform(), random.uniform(0.15, 0.55), random.uniform(0.75, 0.95)};
  const Hsv tiles = near({chance(random, 0.6) ? 0.02 : random.uniform(), 0.7, 0.6}, random);
  const double wide = random.uniform(0.58, 0.74), eaves = random.uniform(-0.2, -0.05);
  const double ridge = random.uniform(-0.98, -0.75), over = random.uniform(0.12, 0.22);
  const double side = chance(random, 0.5) ? 1 : -1;
  std::vector<Part> parts;
  if (chance(random, 0.7)) {
    parts.push_back(body({box({side * wide * 0.55, ridge + 0.3}, 0.11, 0.3)}, near({0.03, 0.55, 0.55}, random), 0.05));
  }
  parts.push_back(body({box({0, 0.5 * (eaves + 0.8)}, wide, 0.5 * (0.8 - eaves) + 0.05)}, walls, 0.06));
  const double flat = chance(random, 0.3) ? random.uniform(0.2, 0.35) : 0.0;
  parts.push_back(
      body({polygon({{-wide - over, eaves}, {-flat - 0.01, ridge}, {flat + 0.01, ridge}, {wide + over, eaves}}, 0.03)},
           tiles, 0.08));
  const double door = side * random.uniform(0.0, 0.35) * wide;
  parts.push_back(detail({box({door, 0.58}, 0.14, 0.27)}, near({0.07, 0.65, 0.42}, random, 0.08)));
  parts.push_back(mark({ellipse({door + 0.08, 0.6}, 0.03, 0.03)}, {0.14, 0.6, 0.95}));
  const double half = random.uniform(0.12, 0.15);
  for (const double x : {door - side * wide * 0.62, door + side * wide * 0.62}) {
    if (std::abs(x) + half > wide - 0.05) continue;
    parts.push_back(house_window(x, 0.3, half));
    parts.push_back(mark({line({x - half, 0.3}, {x + half, 0.3}, 0.022), line({x, 0.3 - half}, {x, 0.3 + half}, 0.022)},
                         {0.08, 0.3, 0.3}));
  }
  if (chance(random, 0.4)) parts.push_back(detail({ellipse({0, 0.5 * (eaves + ridge) + 0.08}, 0.12, 0.12)}, kWhite));
  return parts;
}

std::vector<Part> make_round_tree(RandomStream& random, Hsv leaves, Hsv bark) {
  const double lean = random.uniform(-0.1, 0.1), width = random.uniform(0.09, 0.14);
  std::vector<Part> parts;
  parts.push_back(body({polygon({{-width * 1.6, 0.98}, {-width, 0.1}, {lean + width, 0.1}, {width * 1.6, 0.98}}, 0.02)},
                       bark, 0.12));
  parts.push_back(body({stroke({0, 0.45}, {0.1, 0.3}, {0.3, 0.1}, 0.05)}, bark, 0.05));
  std::vector<Primitive> crown = {ellipse({lean, -0.3}, 0.5, 0.45)};
  const int lumps = 5 + static_cast<int>(random.below(3));
  for (int i = 0; i < lumps; ++i) {
    const double angle = 6.283185307179586 * (i + random.uniform(-0.25, 0.25)) / lumps,
                 size = random.uniform(0.22, 0.32);
    crown.push_back(ellipse({lean + 0.5 * std::cos(angle), -0.32 + 0.4 * std::sin(angle)}, size, size));
  }
  parts.push_back(body(std::move(crown), leaves, 0.4, 0.05));
  for (int i = 0; i < 3; ++i) {
    const Point p{lean + random.uniform(-0.4, 0.4), random.uniform(-0.6, -0.1)};
    parts.push_back(
        mark({stroke({p.x - 0.13, p.y}, {p.x, p.y + 0.13}, {p.x + 0.13, p.y}, 0.025)}, darker(leaves, 0.6)));
  }
  if (chance(random, 0.3)) {
    const Hsv fruit = {chance(random, 0.5) ? 0.0 : 0.1, 0.85, 0.9};
    for (int i = 0; i < 4; ++i) {
      parts.push_back(
          detail({ellipse({lean + random.uniform(-0.5, 0.5), random.uniform(-0.6, 0)}, 0.075, 0.075)}, fruit));
    }
  }
  return parts;
}

std::vector<Part> make_pine(RandomStream& random, Hsv leaves, Hsv bark) {
  const double wide = random.uniform(0.58, 0.74);
  std::vector<Part> parts;
  parts.push_back(body({box({0, 0.78}, random.uniform(0.09, 0.14), 0.22)}, bark, 0.1));
  for (int i = 0; i < 3; ++i) {
    const double low = 0.62 - 0.45 * i, half = wide * (1 - 0.24 * i);
    parts.push_back(body({polygon({{-half, low}, {0, low - 0.72}, {half, low}}, 0.05)}, leaves, 0.25));
  }
  return parts;
}

std::vector<Part> make_tree(RandomStream& random) {
  const double hue = chance(random, 0.65) ? random.uniform(0.24, 0.38) : random.uniform(0.02, 0.15);
  const Hsv leaves{hue, random.uniform(0.55, 0.8), random.uniform(0.45, 0.75)};
  const Hsv bark = near({0.07, 0.55, 0.4}, random);
  return chance(random, 0.3) ? make_pine(random, leaves, bark) : make_round_tree(random, leaves, bark);
}

struct ObjectClass {
  const char* name;
  std::vector<Part> (*make)(RandomStream&);
};
constexpr ObjectClass kClasses[] = {{"apple", make_apple}, {"car", make_car},     {"cat", make_cat},  {"cup", make_cup},
                                    {"fish", make_fish},   {"house", make_house}, {"tree", make_tree}};

}  // namespace

const std::vector<std::string>& procedural_class_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const ObjectClass& c : kClasses) list.emplace_back(c.name);
    return list;
  }();
  return names;
}

std::vector<Part> make_object(int label, RandomStream& random) {
  check<ConfigError>(label >= 0 && label < static_cast<int>(std::size(kClasses)),
                     "procedural object: label {} is outside 0 … {}", label, std::size(kClasses) - 1);
  return kClasses[label].make(random);
}

}  // namespace domainfusion
