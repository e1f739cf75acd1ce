#include "domainfusion/data/procedural/drawing/drawing.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace domainfusion {
namespace {

constexpr double kFar = 0.45;  // object units around a part's bounds where its distance is computed exactly

Point to_object(const Pose& pose, double x_px, double y_px) {
  const double dx = (x_px - pose.centre_px.x) / pose.scale_px, dy = (y_px - pose.centre_px.y) / pose.scale_px;
  const double c = std::cos(pose.angle_radians), s = std::sin(pose.angle_radians);
  const double x = (c * dx + s * dy) / pose.stretch, y = (c * dy - s * dx) * pose.stretch;
  return {pose.mirrored ? -x : x, y};
}

double distance_to_bounds(const Bounds& bounds, Point p) {
  const double dx = std::max({bounds.low.x - p.x, p.x - bounds.high.x, 0.0});
  const double dy = std::max({bounds.low.y - p.y, p.y - bounds.high.y, 0.0});
  return std::sqrt(dx * dx + dy * dy);
}

PixelMap distance_map(const Part& part, const std::vector<Point>& points, double scale_px) {
  const Bounds bounds = bounds_of(part);
  const double far = part.detail ? 0.1 : kFar;
  PixelMap map(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double outside = distance_to_bounds(bounds, points[i]);
    map[i] = scale_px * (outside > far ? outside : signed_distance(part, points[i]));
  }
  return map;
}

double bulge(double distance, double rim) {
  if (rim <= 0 || distance >= 0) return 0;
  const double t = 1 - std::min(-distance / rim, 1.0);
  return rim * std::sqrt(1 - t * t);
}

Light unit(Light v) {
  const double n = 1 / std::sqrt(v.x * v.x + v.y * v.y + v.z * v.z);
  return {v.x * n, v.y * n, v.z * n};
}

double dot3(const Light& a, const Light& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

double power32(double v) {
  for (int i = 0; i < 5; ++i) v *= v;
  return v;
}

}  // namespace

Pose random_pose(int size_px, RandomStream& random) {
  Pose pose;
  pose.scale_px = size_px * random.uniform(0.31, 0.43);
  const double room = size_px * 0.5 - pose.scale_px;
  pose.centre_px.x = size_px * 0.5 + random.uniform(-0.7, 0.7) * room;
  pose.centre_px.y = size_px * 0.5 + random.uniform(-0.7, 0.7) * room;
  pose.stretch = random.uniform(0.92, 1.08);
  pose.angle_radians = (random.uniform() + random.uniform() - 1) * 0.45;
  pose.mirrored = random.uniform() < 0.5;
  return pose;
}

Drawing draw_parts(std::vector<Part> parts, const Pose& pose, int size_px) {
  std::vector<Point> points;
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x) points.push_back(to_object(pose, x + 0.5, y + 0.5));
  }
  Drawing drawing;
  drawing.size_px = size_px;
  drawing.silhouette_px.assign(points.size(), 1e9);
  for (const Part& part : parts) {
    drawing.distance_px.push_back(distance_map(part, points, pose.scale_px));
    if (part.mark) continue;
    for (std::size_t i = 0; i < points.size(); ++i) {
      drawing.silhouette_px[i] = std::min(drawing.silhouette_px[i], drawing.distance_px.back()[i]);
    }
  }
  drawing.parts = std::move(parts);
  return drawing;
}

double coverage(double distance_px) { return std::clamp(0.5 - distance_px, 0.0, 1.0); }

PixelMap relief(const Drawing& drawing, double depth) {
  PixelMap height(drawing.silhouette_px.size(), 0);
  const double scale_px = drawing.size_px * 0.4;
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    const Part& part = drawing.parts[k];
    if (part.mark) continue;
    for (std::size_t i = 0; i < height.size(); ++i) {
      const double d = drawing.distance_px[k][i];
      if (d >= 0.5) continue;
      const double own = depth * bulge(d, part.roundness * scale_px);
      height[i] = part.detail ? height[i] + own : height[i] + (own - height[i]) * coverage(d);
    }
  }
  return height;
}

Light random_light(RandomStream& random) {
  const double x = random.uniform(-0.7, 0.7), y = random.uniform(-0.9, -0.5);
  return unit({x, y, 0.75});
}

Shading shade(const PixelMap& height, int size_px, const Light& light) {
  Shading shading{PixelMap(height.size()), PixelMap(height.size())};
  const Light half = unit({light.x, light.y, light.z + 1});
  const auto at = [&](int x, int y) {
    return height[std::size_t(std::clamp(y, 0, size_px - 1)) * size_px + std::clamp(x, 0, size_px - 1)];
  };
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x) {
      const Light normal = unit({(at(x - 1, y) - at(x + 1, y)) / 2, (at(x, y - 1) - at(x, y + 1)) / 2, 1});
      shading.diffuse[std::size_t(y) * size_px + x] = std::max(dot3(normal, light), 0.0);
      shading.specular[std::size_t(y) * size_px + x] = power32(std::max(dot3(normal, half), 0.0));
    }
  }
  return shading;
}

}  // namespace domainfusion
