#pragma once
// Signed distance fields of flat shapes: the description from which every domain draws the same object.
// Object coordinates: x to the right, y down, the object lies within about [-1, 1]^2. Double precision throughout, so
// that pixels after rounding to 8 bits do not depend on the machine.

#include <vector>

namespace domainfusion {

struct Point {
  double x = 0, y = 0;
};

struct Primitive {
  enum class Kind { kEllipse, kBox, kPolygon, kStroke };
  Kind kind = Kind::kEllipse;
  Point centre;                 // ellipse, box
  double rx = 0, ry = 0;        // radii or half sides
  double cosine = 1, sine = 0;  // rotation of ellipse and box
  double rounding = 0;          // box, polygon: grows the shape by this with round corners; stroke: half thickness
  std::vector<Point> points;    // polygon: corners in order; stroke: an open line through these
  bool cut = false;             // taken away from what stands before it in its part
};

Primitive ellipse(Point centre, double rx, double ry, double angle_radians = 0);
// Half sides include the rounding.
Primitive box(Point centre, double half_width, double half_height, double rounding = 0, double angle_radians = 0);
Primitive polygon(std::vector<Point> corners, double rounding = 0);
// A polygon whose corners are cut twice (Chaikin), for soft outlines.
Primitive blob(const std::vector<Point>& corners);
// The quadratic Bezier curve from `from` to `to` as a line of the given half thickness.
Primitive stroke(Point from, Point control, Point to, double half_thickness);
Primitive line(Point from, Point to, double half_thickness);
Primitive cut(Primitive primitive);

// Negative inside, positive outside; exact for polygons, boxes and strokes, first-order for ellipses.
double signed_distance(const Primitive& primitive, Point p);

// A colour by hue [0, 1), saturation and value [0, 1].
struct Hsv {
  double hue = 0, saturation = 0, value = 0;
};

// One piece of an object; later pieces lie in front of earlier ones.
struct Part {
  std::vector<Primitive> primitives;
  Hsv colour;
  double blend = 0;         // radius over which the primitives melt together
  double roundness = 0.35;  // depth of the rim over which the surface bends, in object units; 0: flat
  bool detail = false;      // lies on the surface of the piece below instead of having a body of its own
  bool mark = false;        // a thin line (whisker, mouth): drawn as it is, without an outline
};

double signed_distance(const Part& part, Point p);

struct Bounds {
  Point low, high;
};
Bounds bounds_of(const Part& part);

}  // namespace domainfusion
