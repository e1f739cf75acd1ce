#pragma once
// An object placed in the picture: per part the signed distance of every pixel, and what all domains derive from it.

#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/data/procedural/drawing/shape.h"

namespace domainfusion {

// Maps object coordinates to pixels: scale, mirror, shear, rotation, shift.
struct Pose {
  Point centre_px;
  double scale_px = 26;  // pixels per object unit
  double stretch = 1;    // x is scaled by this, y by its inverse
  double angle_radians = 0;
  bool mirrored = false;
};
Pose random_pose(int size_px, RandomStream& random);

using PixelMap = std::vector<double>;  // size_px^2 values, row by row

struct Drawing {
  int size_px = 0;
  std::vector<Part> parts;
  std::vector<PixelMap> distance_px;  // per part: negative inside
  PixelMap silhouette_px;             // the smallest distance to a part that is no mark
};
Drawing draw_parts(std::vector<Part> parts, const Pose& pose, int size_px);

// Share of a pixel that lies inside, from the signed distance of its centre.
double coverage(double distance_px);

// Height of the bent surface above the picture plane, in pixels; 0 outside.
PixelMap relief(const Drawing& drawing, double depth);

struct Light {
  double x = 0, y = 0, z = 1;  // unit vector towards the light; y down, z towards the viewer
};
Light random_light(RandomStream& random);

struct Shading {
  PixelMap diffuse;   // max(0, n.l), [0, 1]
  PixelMap specular;  // (n.h)^32, [0, 1]
};
Shading shade(const PixelMap& height, int size_px, const Light& light);

}  // namespace domainfusion
