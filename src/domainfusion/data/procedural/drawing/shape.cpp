#include "domainfusion/data/procedural/drawing/shape.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace domainfusion {
namespace {

Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
double dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
double length(Point a) { return std::sqrt(dot(a, a)); }

Point to_local(const Primitive& s, Point p) {
  const Point q = p - s.centre;
  return {s.cosine * q.x + s.sine * q.y, -s.sine * q.x + s.cosine * q.y};
}

double squared_distance_to_segment(Point p, Point a, Point b) {
  const Point pa = p - a, ba = b - a;
  const double t = std::clamp(dot(pa, ba) / dot(ba, ba), 0.0, 1.0);
  const Point away{pa.x - t * ba.x, pa.y - t * ba.y};
  return dot(away, away);
}

double ellipse_distance(const Primitive& s, Point p) {
  const Point q = to_local(s, p);
  const double k = length({q.x / s.rx, q.y / s.ry});
  const double slope = length({q.x / (s.rx * s.rx), q.y / (s.ry * s.ry)});
  if (slope < 1e-9) return -std::min(s.rx, s.ry);
  return k * (k - 1) / slope;
}

double box_distance(const Primitive& s, Point p) {
  const Point q = to_local(s, p);
  const double dx = std::abs(q.x) - s.rx + s.rounding, dy = std::abs(q.y) - s.ry + s.rounding;
  return length({std::max(dx, 0.0), std::max(dy, 0.0)}) + std::min(std::max(dx, dy), 0.0) - s.rounding;
}

double polygon_distance(const Primitive& s, Point p) {
  double nearest = std::numeric_limits<double>::infinity();
  bool inside = false;
  for (std::size_t i = 0, j = s.points.size() - 1; i < s.points.size(); j = i++) {
    const Point a = s.points[i], b = s.points[j];
    nearest = std::min(nearest, squared_distance_to_segment(p, a, b));
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) inside = !inside;
  }
  return (inside ? -std::sqrt(nearest) : std::sqrt(nearest)) - s.rounding;
}

double stroke_distance(const Primitive& s, Point p) {
  double nearest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 1; i < s.points.size(); ++i) {
    nearest = std::min(nearest, squared_distance_to_segment(p, s.points[i - 1], s.points[i]));
  }
  return std::sqrt(nearest) - s.rounding;
}

std::vector<Point> cut_corners(const std::vector<Point>& corners) {
  std::vector<Point> cut;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const Point a = corners[i], b = corners[(i + 1) % corners.size()];
    cut.push_back({0.75 * a.x + 0.25 * b.x, 0.75 * a.y + 0.25 * b.y});
    cut.push_back({0.25 * a.x + 0.75 * b.x, 0.25 * a.y + 0.75 * b.y});
  }
  return cut;
}

double melt(double a, double b, double radius) {
  if (radius <= 0) return std::min(a, b);
  const double h = std::max(radius - std::abs(a - b), 0.0) / radius;
  return std::min(a, b) - h * h * radius * 0.25;
}

void grow(Bounds& bounds, Point p, double margin) {
  bounds.low = {std::min(bounds.low.x, p.x - margin), std::min(bounds.low.y, p.y - margin)};
  bounds.high = {std::max(bounds.high.x, p.x + margin), std::max(bounds.high.y, p.y + margin)};
}

}  // namespace

Primitive ellipse(Point centre, double rx, double ry, double angle_radians) {
  Primitive s;
  s.centre = centre;
  s.rx = rx;
  s.ry = ry;
  s.cosine = std::cos(angle_radians);
  s.sine = std::sin(angle_radians);
  return s;
}

Primitive box(Point centre, double half_width, double half_height, double rounding, double angle_radians) {
  Primitive s = ellipse(centre, half_width, half_height, angle_radians);
  s.kind = Primitive::Kind::kBox;
  s.rounding = rounding;
  return s;
}

Primitive polygon(std::vector<Point> corners, double rounding) {
  Primitive s;
  s.kind = Primitive::Kind::kPolygon;
  s.points = std::move(corners);
  s.rounding = rounding;
  return s;
}

Primitive blob(const std::vector<Point>& corners) { return polygon(cut_corners(cut_corners(corners))); }

Primitive stroke(Point from, Point control, Point to, double half_thickness) {
  Primitive s;
  s.kind = Primitive::Kind::kStroke;
  s.rounding = half_thickness;
  constexpr int kPieces = 6;
  for (int i = 0; i <= kPieces; ++i) {
    const double t = static_cast<double>(i) / kPieces, u = 1 - t;
    s.points.push_back(
        {u * u * from.x + 2 * u * t * control.x + t * t * to.x, u * u * from.y + 2 * u * t * control.y + t * t * to.y});
  }
  return s;
}

Primitive line(Point from, Point to, double half_thickness) {
  Primitive s;
  s.kind = Primitive::Kind::kStroke;
  s.rounding = half_thickness;
  s.points = {from, to};
  return s;
}

Primitive cut(Primitive primitive) {
  primitive.cut = true;
  return primitive;
}

double signed_distance(const Primitive& primitive, Point p) {
  switch (primitive.kind) {
    case Primitive::Kind::kEllipse:
      return ellipse_distance(primitive, p);
    case Primitive::Kind::kBox:
      return box_distance(primitive, p);
    case Primitive::Kind::kPolygon:
      return polygon_distance(primitive, p);
    case Primitive::Kind::kStroke:
      return stroke_distance(primitive, p);
  }
  return std::numeric_limits<double>::infinity();
}

double signed_distance(const Part& part, Point p) {
  double distance = 1e9;
  for (const Primitive& primitive : part.primitives) {
    const double d = signed_distance(primitive, p);
    distance = primitive.cut ? std::max(distance, -d) : melt(distance, d, part.blend);
  }
  return distance;
}

Bounds bounds_of(const Part& part) {
  Bounds bounds{{1e9, 1e9}, {-1e9, -1e9}};
  for (const Primitive& s : part.primitives) {
    if (s.cut) continue;
    if (s.points.empty()) grow(bounds, s.centre, std::sqrt(s.rx * s.rx + s.ry * s.ry) + part.blend);
    for (const Point p : s.points) grow(bounds, p, s.rounding + part.blend);
  }
  return bounds;
}

}  // namespace domainfusion
