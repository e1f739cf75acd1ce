#pragma once
// The four domains: each turns the same description of an object into its own kind of picture.

#include <string>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/data/procedural/drawing/colour.h"
#include "domainfusion/data/procedural/drawing/drawing.h"

namespace domainfusion {

// Shaded surfaces under a light, a soft shadow, a textured or cluttered background, sensor noise.
ColourMap render_photo(const Drawing& drawing, RandomStream& random);
// Brush strokes along the forms in a shifted palette, on a toned canvas.
ColourMap render_painting(const Drawing& drawing, RandomStream& random);
// Flat saturated colours with dark outlines on a simple background.
ColourMap render_cartoon(const Drawing& drawing, RandomStream& random);
// Wavering pencil lines and hatching on light paper, without colour.
ColourMap render_sketch(const Drawing& drawing, RandomStream& random);

// Styles beyond the four domains.
// Pale washes whose pigment gathers at their borders, on white paper.
ColourMap render_watercolour(const Drawing& drawing, RandomStream& random);
// Small tiles between joints.
ColourMap render_mosaic(const Drawing& drawing, RandomStream& random);
// Glowing panes in leads.
ColourMap render_stained_glass(const Drawing& drawing, RandomStream& random);
// Satin stitches on cloth.
ColourMap render_embroidery(const Drawing& drawing, RandomStream& random);
// Coarse squares of few colours.
ColourMap render_pixel_art(const Drawing& drawing, RandomStream& random);
// Dented dough, strongly lit.
ColourMap render_clay(const Drawing& drawing, RandomStream& random);
// One ink on paper, in carved grooves.
ColourMap render_woodcut(const Drawing& drawing, RandomStream& random);
// Chalk lines and scribbles on a dark board.
ColourMap render_chalkboard(const Drawing& drawing, RandomStream& random);
// Glowing tubes along the outlines, at night.
ColourMap render_neon(const Drawing& drawing, RandomStream& random);
// A dark shape before a sky.
ColourMap render_silhouette(const Drawing& drawing, RandomStream& random);

struct ProceduralDomain {
  std::string name;
  ColourMap (*render)(const Drawing&, RandomStream&);
};
// photo, painting, cartoon, sketch, then the styles beyond them
const std::vector<ProceduralDomain>& procedural_domains();

// Paints every part flat, from back to front, over `background`; `recolour` maps a part's colour.
template <class Recolour>
void paint_flat(ColourMap& map, const Drawing& drawing, Recolour recolour) {
  for (std::size_t k = 0; k < drawing.parts.size(); ++k) {
    const Colour colour = recolour(drawing.parts[k]);
    for (std::size_t i = 0; i < map.pixels.size(); ++i) {
      const double c = coverage(drawing.distance_px[k][i]);
      if (c > 0) map.pixels[i] = lerp(map.pixels[i], colour, c);
    }
  }
}

}  // namespace domainfusion
