#include "domainfusion/nn/kernels/winograd.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/kernels/parallel_tasks.h"
#include "domainfusion/nn/memory/activation_memory.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kPositions = 16;
constexpr std::int64_t kBlockTiles = 64;  // about: the transformed input of a block stays near the second-level cache

// Tiles of 2x2 output pixels, row by row, image by image.
struct Tiling {
  explicit Tiling(const PaddedPixels& pixels)
      : height(pixels.height()),
        width(pixels.width()),
        down(quotient_up(height, 2)),
        across(quotient_up(width, 2)),
        count(pixels.images() * down * across) {}
  std::int64_t height, width;  // in pixels
  std::int64_t down, across;   // in tiles
  std::int64_t count;

  struct Place {
    std::int64_t image, y, x;  // of the tile's first output pixel
  };
  Place place(std::int64_t tile) const { return {tile / across / down, tile / across % down * 2, tile % across * 2}; }
};

// The tiles first … first + count - 1; scratch memory for one thread.
class TileBlock {
 public:
  TileBlock(const PaddedPixels& pixels, const Tiling& tiling, const PackedMatrix& weights, const ProductTarget& target,
            std::int64_t first, std::int64_t count)
      : k_(kernels()),
        pixels_(pixels),
        tiling_(tiling),
        weights_(weights),
        target_(target),
        first_(first),
        count_(count),
        padded_(quotient_up(count, k_.tile_rows) * k_.tile_rows),
        channels_(pixels.channels()),
        input_(static_cast<std::size_t>(kPositions * padded_ * channels_)),
        sums_(static_cast<std::size_t>(kPositions * padded_ * k_.tile_columns)) {
    for (std::int64_t t = 0; t < count; ++t) transform_input(t);
  }

  void convolve(std::int64_t panel) {
    for (std::int64_t position = 0; position < kPositions; ++position) multiply(panel, position);
    for (std::int64_t t = 0; t < count_; ++t) transform_output(panel, t);
  }

 private:
  void transform_input(std::int64_t t) {
    const Tiling::Place place = tiling_.place(first_ + t);
    const float* patch[kPositions];
    for (std::int64_t i = 0; i < kPositions; ++i)
      patch[i] = pixels_.at(place.image, place.y + i / 4 - 1, place.x + i % 4 - 1);
    k_.winograd_input(patch, channels_, input_.data() + t * channels_, padded_ * channels_);
  }

  void multiply(std::int64_t panel, std::int64_t position) {
    const float* b = weights_.panel(panel) + position * channels_ * k_.tile_columns;
    const float* rows = input_.data() + position * padded_ * channels_;
    float* c = sums_.data() + position * padded_ * k_.tile_columns;
    for (std::int64_t offset = 0; offset < channels_; offset += k_.panel_depth) {
      const std::int64_t length = std::min(k_.panel_depth, channels_ - offset);
      for (std::int64_t r = 0; r < padded_; r += k_.tile_rows) {
        const float* a[kMaxTileRows];
        for (std::int64_t i = 0; i < k_.tile_rows; ++i) a[i] = rows + (r + i) * channels_ + offset;
        k_.multiply_tile(a, length, b + offset * k_.tile_columns, c + r * k_.tile_columns, k_.tile_columns, offset > 0);
      }
    }
  }

  void transform_output(std::int64_t panel, std::int64_t t) const {
    const Tiling::Place place = tiling_.place(first_ + t);
    const std::int64_t column = panel * k_.tile_columns, outputs = weights_.outputs();
    float* out[4];
    const float* residual[4];
    for (std::int64_t i = 0; i < 4; ++i) {
      const std::int64_t y = place.y + i / 2, x = place.x + i % 2;
      const std::int64_t at = ((place.image * tiling_.height + y) * tiling_.width + x) * outputs + column;
      const bool inside = y < tiling_.height && x < tiling_.width;
      out[i] = inside ? target_.out + at : nullptr;
      residual[i] = inside && target_.residual ? target_.residual + at : nullptr;
    }
    const std::int64_t bias_row =
        target_.rows_per_bias > 0 ? place.image * tiling_.height * tiling_.width / target_.rows_per_bias : 0;
    k_.winograd_output(sums_.data() + t * k_.tile_columns, padded_ * k_.tile_columns,
                       std::min(k_.tile_columns, outputs - column),
                       target_.bias ? target_.bias + bias_row * outputs + column : nullptr, residual, out);
  }

  const Kernels& k_;
  const PaddedPixels& pixels_;
  const Tiling& tiling_;
  const PackedMatrix& weights_;
  const ProductTarget& target_;
  std::int64_t first_, count_, padded_, channels_;
  std::vector<float> input_;  // B^T d B: [positions, tiles, channels]
  std::vector<float> sums_;   // of one panel: [positions, tiles, tile columns]
};

// G of three entries, `stride` apart.
void times_g(const float* g, std::int64_t stride, float* transformed) {
  const float ends = g[0] + g[2 * stride], middle = g[stride];
  transformed[0] = g[0];
  transformed[1] = 0.5F * (ends + middle);
  transformed[2] = 0.5F * (ends - middle);
  transformed[3] = g[2 * stride];
}

// G g G^T of a kernel [3, 3]; entry (i, j) of the result goes to `to` at (4 i + j) * stride.
void transform_kernel(const float* kernel, float* to, std::int64_t stride) {
  float columns[3][4];  // [column of the kernel, row of the result]
  for (std::int64_t x = 0; x < 3; ++x) times_g(kernel + x, 3, columns[x]);
  for (std::int64_t i = 0; i < 4; ++i) {
    float row[4];
    times_g(&columns[0][i], 4, row);
    for (std::int64_t j = 0; j < 4; ++j) to[(4 * i + j) * stride] = row[j];
  }
}

// H with H G = 1.
at::Tensor times_h(const at::Tensor& transformed, std::int64_t dim) {
  const auto t = transformed.unbind(dim);
  return at::stack({t[0], t[1] - t[2], t[3]}, dim);
}

}  // namespace

at::Tensor weight_of_winograd(const at::Tensor& matrix_NSC) {
  const at::Tensor transformed = matrix_NSC.transpose(1, 2).reshape({matrix_NSC.size(0), matrix_NSC.size(2), 4, 4});
  return times_h(times_h(transformed, 2), 3).contiguous();
}

// In one pass, into memory that the next layer's takes again: temporary tensors of a whole model's weights would be
// gigabytes of pages for the system to zero.
at::Tensor winograd_weight(const at::Tensor& weight) {
  const at::Tensor kernels_NC33 = weight.contiguous();
  const std::int64_t outputs = weight.size(0), channels = weight.size(1);
  const at::Tensor matrix_NSC = new_activation({outputs, kPositions, channels});
  for_each_task(outputs, [&](std::int64_t n) {
    const float* kernel = kernels_NC33.data_ptr<float>() + n * channels * 9;
    float* to = matrix_NSC.data_ptr<float>() + n * kPositions * channels;
    for (std::int64_t c = 0; c < channels; ++c) transform_kernel(kernel + 9 * c, to + c, channels);
  });
  return matrix_NSC;
}

void winograd_convolution(const PaddedPixels& pixels, const PackedMatrix& weights, const ProductTarget& target) {
  check<ShapeError>(weights.depth() == kPositions * pixels.channels(), "maps of {} channels meet a convolution of {}",
                    pixels.channels(), weights.depth() / kPositions);
  const Tiling tiling(pixels);
  if (tiling.count == 0) return;
  const std::int64_t block = quotient_up(kBlockTiles, kernels().tile_rows) * kernels().tile_rows;
  const std::int64_t blocks = quotient_up(tiling.count, block);
  // Tasks of one block transform its input again each: only as many as keep the threads busy.
  const std::int64_t column_tasks = std::min(weights.panels(), quotient_up(2 * at::get_num_threads(), blocks));
  for_each_task(blocks * column_tasks, [&](std::int64_t task) {
    const std::int64_t first = task / column_tasks * block, column = task % column_tasks;
    TileBlock tiles(pixels, tiling, weights, target, first, std::min(block, tiling.count - first));
    const std::int64_t end = weights.panels() * (column + 1) / column_tasks;
    for (std::int64_t p = weights.panels() * column / column_tasks; p < end; ++p) tiles.convolve(p);
  });
}

}  // namespace domainfusion
