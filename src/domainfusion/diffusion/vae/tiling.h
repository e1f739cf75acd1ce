#pragma once
// A map over images computed tile by tile, the overlaps blended linearly, so that memory is bounded by a tile
// (diffusers' AutoencoderKL.enable_tiling).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace domainfusion {

struct Tiling {
  std::int64_t in = 0;    // side of a tile of the input
  std::int64_t out = 0;   // side of what `map` makes of it
  double overlap = 0.25;  // share of a tile's side that the next one covers too
};

// map: [N, C, h, w] -> [N, C', h out/in, w out/in] for h, w <= in. Returns the whole result. Differs from `map` of the
// whole where map looks beyond a tile.
at::Tensor map_in_tiles(const at::Tensor& x_NChw, const Tiling& tiling,
                        const std::function<at::Tensor(const at::Tensor&)>& map);

}  // namespace domainfusion
