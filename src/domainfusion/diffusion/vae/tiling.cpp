#include "domainfusion/diffusion/vae/tiling.h"

#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// The first `extent` rows (dim 2) or columns (dim 3) of `tile` fade in over the last of `before`.
at::Tensor blended(const at::Tensor& before, const at::Tensor& tile, std::int64_t dim, std::int64_t extent) {
  const std::int64_t length = std::min({before.size(dim), tile.size(dim), extent});
  if (length == 0) return tile;
  std::vector<std::int64_t> shape{1, 1, 1, 1};
  shape[static_cast<std::size_t>(dim)] = length;
  const at::Tensor share = (at::arange(length, tile.options()) / static_cast<double>(length)).view(shape);
  const at::Tensor faded =
      before.narrow(dim, before.size(dim) - length, length) * (1.0 - share) + tile.narrow(dim, 0, length) * share;
  return at::cat({faded, tile.slice(dim, length)}, dim);
}

}  // namespace

at::Tensor map_in_tiles(const at::Tensor& x_NChw, const Tiling& tiling,
                        const std::function<at::Tensor(const at::Tensor&)>& map) {
  const auto step = static_cast<std::int64_t>(static_cast<double>(tiling.in) * (1 - tiling.overlap));
  const auto blend = static_cast<std::int64_t>(static_cast<double>(tiling.out) * tiling.overlap);
  const std::int64_t kept = tiling.out - blend;
  check<ConfigError>(step >= 1 && kept >= 1 && kept * tiling.in == step * tiling.out,
                     "tiles of {} -> {} with an overlap of {}: the overlap is no whole number of pixels on both sides",
                     tiling.in, tiling.out, tiling.overlap);
  std::vector<at::Tensor> rows, above;
  for (std::int64_t y = 0; y < x_NChw.size(2); y += step) {
    std::vector<at::Tensor> tiles, row;
    for (std::int64_t x = 0; x < x_NChw.size(3); x += step) {
      at::Tensor tile = map(x_NChw.slice(2, y, y + tiling.in).slice(3, x, x + tiling.in));
      if (!above.empty()) tile = blended(above[tiles.size()], tile, 2, blend);
      if (!tiles.empty()) tile = blended(tiles.back(), tile, 3, blend);
      tiles.push_back(tile);
      row.push_back(tile.slice(2, 0, kept).slice(3, 0, kept));
    }
    rows.push_back(at::cat(row, 3));
    above = std::move(tiles);
  }
  return at::cat(rows, 2);
}

}  // namespace domainfusion
