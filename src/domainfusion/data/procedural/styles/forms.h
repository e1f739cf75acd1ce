#pragma once
// What styles that cut a picture into pieces ask of a drawing: which part is seen at a pixel, and its colour there.

#include <cstddef>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/data/procedural/styles/renderers.h"

namespace domainfusion {

struct Forms {
  std::vector<int> part;  // seen at each pixel's centre; -1: background
  PixelMap distance_px;   // of that part; of the silhouette in the background
  PixelMap border_px;     // to the nearest border of a part that is seen, 0 and up; marks do not count
};
Forms forms_of(const Drawing& drawing);

// Two planes in colours of `value` to 1, wall and ground or sky and field.
ColourMap plain_planes(int size_px, double saturation, double value, RandomStream& random);
// The drawing in flat colours before such planes; `recolour` as in paint_flat, shaded by `depth` of relief (0: flat).
template <class Recolour>
ColourMap painted_model(const Drawing& drawing, ColourMap background, double depth, RandomStream& random,
                        Recolour recolour) {
  const PixelMap lit = shade(relief(drawing, depth), drawing.size_px, random_light(random)).diffuse;
  paint_flat(background, drawing, recolour);
  for (std::size_t i = 0; i < lit.size(); ++i) {
    const double inside = coverage(drawing.silhouette_px[i]);
    background.pixels[i] = background.pixels[i] * lerp(1, 0.55 + 0.5 * lit[i], inside);
  }
  return background;
}

// The value of a map at a pixel, of its border beyond it.
inline std::size_t clamped_place(int size, int x, int y) {
  return static_cast<std::size_t>(std::clamp(y, 0, size - 1)) * static_cast<std::size_t>(size) +
         static_cast<std::size_t>(std::clamp(x, 0, size - 1));
}

// Cells around jittered points of a grid of `pitch` pixels (Voronoi).
struct Cell {
  double x = 0, y = 0;       // the nearest point, px
  double border_px = 0;      // about the distance to the next cell
  std::uint64_t number = 0;  // of the cell
};
Cell cell_at(double x, double y, double pitch, double jitter, std::uint64_t seed);

}  // namespace domainfusion
