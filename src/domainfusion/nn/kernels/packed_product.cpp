#include "domainfusion/nn/kernels/packed_product.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/kernels/parallel_tasks.h"
#include "domainfusion/nn/memory/activation_memory.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kBlockRows = 96;      // about: their sums for one panel stay in the first-level cache
constexpr std::int64_t kTasksPerThread = 4;  // so that a thread that is held up does not hold up all

// A part of the depth: what one call of the tile kernel runs over.
struct DepthBlock {
  std::size_t segment;
  std::int64_t offset, length;  // inside the segment
  std::int64_t depth;           // of its first element
};

std::vector<DepthBlock> depth_blocks(const std::vector<std::int64_t>& segment_lengths) {
  std::vector<DepthBlock> blocks;
  std::int64_t depth = 0;
  for (std::size_t s = 0; s < segment_lengths.size(); ++s) {
    const std::int64_t parts = quotient_up(segment_lengths[s], kernels().panel_depth);
    for (std::int64_t i = 0, offset = 0; i < parts; ++i) {
      const std::int64_t length = (segment_lengths[s] - offset) / (parts - i);
      blocks.push_back({s, offset, length, depth});
      offset += length;
      depth += length;
    }
  }
  return blocks;
}

// Some rows against all panels that are asked for; one object per task.
class RowBlock {
 public:
  RowBlock(const ProductRows& rows, const std::vector<DepthBlock>& blocks, std::int64_t first, std::int64_t count)
      : k_(kernels()), blocks_(blocks), tiles_(quotient_up(count, k_.tile_rows)), padded_(tiles_ * k_.tile_rows) {
    pointers_.resize(rows.segment_lengths.size() * static_cast<std::size_t>(padded_));
    for (std::size_t s = 0; s < rows.segment_lengths.size(); ++s) {
      const float** pointers = pointers_.data() + s * static_cast<std::size_t>(padded_);
      rows.locate(first, count, s, pointers);
      std::fill(pointers + count, pointers + padded_, pointers[count - 1]);
    }
  }

  std::vector<float> new_sums() const {
    return std::vector<float>(static_cast<std::size_t>(padded_ * k_.tile_columns));
  }

  // sums [padded rows, tile_columns].
  void multiply(const float* panel, float* sums) const {
    for (const DepthBlock& block : blocks_) {
      const float* b = panel + block.depth * k_.tile_columns;
      const float* const* segment = pointers_.data() + block.segment * static_cast<std::size_t>(padded_);
      for (std::int64_t tile = 0; tile < tiles_; ++tile)
        multiply_tile(block, segment + tile * k_.tile_rows, b, tile, sums);
    }
  }

 private:
  void multiply_tile(const DepthBlock& block, const float* const* segment, const float* b, std::int64_t tile,
                     float* sums) const {
    const float* a[kMaxTileRows];
    for (std::int64_t r = 0; r < k_.tile_rows; ++r) a[r] = segment[r] + block.offset;
    k_.multiply_tile(a, block.length, b, sums + tile * k_.tile_rows * k_.tile_columns, k_.tile_columns,
                     block.depth > 0);
  }

  const Kernels& k_;
  const std::vector<DepthBlock>& blocks_;
  std::int64_t tiles_, padded_;
  std::vector<const float*> pointers_;  // [segments, padded rows]
};

struct PanelRange {
  std::int64_t begin, end;
};

// Calls work(row block, its first row, its rows, panels) for a grid that covers rows x panels, on all threads.
void for_each_block(const ProductRows& rows, std::int64_t panels,
                    const std::function<void(const RowBlock&, std::int64_t, std::int64_t, PanelRange)>& work) {
  if (rows.rows == 0) return;
  const std::vector<DepthBlock> blocks = depth_blocks(rows.segment_lengths);
  const std::int64_t tile = kernels().tile_rows, block_rows = quotient_up(kBlockRows, tile) * tile;
  const std::int64_t row_blocks = quotient_up(rows.rows, block_rows);
  const std::int64_t wanted = kTasksPerThread * at::get_num_threads();
  const std::int64_t column_tasks = std::min(panels, quotient_up(wanted, row_blocks));
  for_each_task(row_blocks * column_tasks, [&](std::int64_t task) {
    const std::int64_t first = task / column_tasks * block_rows, column = task % column_tasks;
    const std::int64_t count = std::min(block_rows, rows.rows - first);
    const PanelRange range{panels * column / column_tasks, panels * (column + 1) / column_tasks};
    work(RowBlock(rows, blocks, first, count), first, count, range);
  });
}

void check_depth(const ProductRows& rows, const PackedMatrix& weights) {
  const std::int64_t depth = std::accumulate(rows.segment_lengths.begin(), rows.segment_lengths.end(), std::int64_t{0});
  check<ShapeError>(depth == weights.depth(), "rows of {} values meet weights of depth {}", depth, weights.depth());
}

const float* shifted(const float* pointer, std::int64_t by) { return pointer ? pointer + by : nullptr; }

constexpr std::int64_t kPackedTogether = 64;  // rows of a panel that stay in the first-level cache while they fill

// Outputs first … end-1 as the columns of the panel that begins at `panel`, `width` numbers a row.
void pack_outputs(const at::TensorAccessor<float, 3>& weight_NSC, std::int64_t first, std::int64_t end,
                  std::int64_t width, float* panel) {
  const std::int64_t channels = weight_NSC.size(2), stride = weight_NSC.stride(2);
  for (std::int64_t s = 0; s < weight_NSC.size(1); ++s) {
    for (std::int64_t begin = 0; begin < channels; begin += kPackedTogether) {
      const std::int64_t rows = std::min(kPackedTogether, channels - begin);
      for (std::int64_t n = first; n < end; ++n) {
        const float* from = weight_NSC[n][s].data() + begin * stride;
        float* to = panel + n - first;
        for (std::int64_t c = 0; c < rows; ++c) to[c * width] = from[c * stride];
      }
      panel += rows * width;
    }
  }
}

}  // namespace

PackedMatrix::PackedMatrix(const at::Tensor& weight_NSC)
    : outputs_(weight_NSC.size(0)), segments_(weight_NSC.size(1)), depth_(weight_NSC.size(1) * weight_NSC.size(2)) {
  const std::int64_t width = kernels().tile_columns, panels = quotient_up(outputs_, width);
  panels_PKn_ = new_huge_page_tensor({panels, depth_, width});
  const auto weight = weight_NSC.accessor<float, 3>();
  for_each_task(panels, [&](std::int64_t p) {
    float* first = panels_PKn_.data_ptr<float>() + p * depth_ * width;
    if ((p + 1) * width > outputs_) std::fill_n(first, depth_ * width, 0.0f);
    pack_outputs(weight, p * width, std::min(outputs_, (p + 1) * width), width, first);
  });
}

const float* PackedMatrix::panel(std::int64_t index) const {
  return panels_PKn_.data_ptr<float>() + index * depth_ * panels_PKn_.size(2);
}

at::Tensor PackedMatrix::unpacked_NSC() const {
  return panels_PKn_.transpose(1, 2).reshape({-1, segments_, depth_ / segments_}).slice(0, 0, outputs_).contiguous();
}

MatrixRows::MatrixRows(const float* first, std::int64_t count, std::int64_t depth, std::int64_t stride)
    : first_(first), stride_(stride) {
  rows = count;
  segment_lengths = {depth};
}

void MatrixRows::locate(std::int64_t first, std::int64_t count, std::size_t, const float** pointers) const {
  for (std::int64_t r = 0; r < count; ++r) pointers[r] = first_ + (first + r) * stride_;
}

void packed_product(const ProductRows& rows, const PackedMatrix& weights, const ProductTarget& target) {
  check_depth(rows, weights);
  const Kernels& k = kernels();
  const std::int64_t n = weights.outputs(), width = k.tile_columns;
  const std::int64_t rows_per_bias = target.rows_per_bias > 0 ? target.rows_per_bias : rows.rows;
  for_each_block(rows, weights.panels(),
                 [&](const RowBlock& block, std::int64_t first, std::int64_t count, PanelRange range) {
                   std::vector<float> sums = block.new_sums();
                   for (std::int64_t p = range.begin; p < range.end; ++p) {
                     block.multiply(weights.panel(p), sums.data());
                     const std::int64_t column = p * width, columns = std::min(width, n - column);
                     for (std::int64_t r = 0; r < count; ++r) {
                       const std::int64_t row = first + r, at = row * n + column;
                       k.finish_row(sums.data() + r * width, shifted(target.bias, row / rows_per_bias * n + column),
                                    shifted(target.residual, at), target.out + at, columns);
                     }
                   }
                 });
}

void gated_packed_product(const ProductRows& rows, const PackedMatrix& weights, std::int64_t features,
                          const float* value_bias, const float* gate_bias, float* out) {
  check_depth(rows, weights);
  const Kernels& k = kernels();
  const std::int64_t width = k.tile_columns;
  for_each_block(
      rows, weights.panels() / 2, [&](const RowBlock& block, std::int64_t first, std::int64_t count, PanelRange range) {
        std::vector<float> values = block.new_sums(), gates = block.new_sums();
        for (std::int64_t p = range.begin; p < range.end; ++p) {
          block.multiply(weights.panel(2 * p), values.data());
          block.multiply(weights.panel(2 * p + 1), gates.data());
          const std::int64_t column = p * width, columns = std::min(width, features - column);
          for (std::int64_t r = 0; r < count; ++r) {
            k.finish_gated_row(values.data() + r * width, gates.data() + r * width, shifted(value_bias, column),
                               shifted(gate_bias, column), out + (first + r) * features + column, columns);
          }
        }
      });
}

at::Tensor interleaved_halves(const at::Tensor& halves_NK) {
  const std::int64_t features = halves_NK.size(0) / 2, width = kernels().tile_columns,
                     panels = quotient_up(features, width);
  const at::Tensor padded =
      at::constant_pad_nd(halves_NK.view({2, features, -1}), {0, 0, 0, panels * width - features});
  return padded.view({2, panels, width, -1}).transpose(0, 1).reshape({2 * panels * width, -1});
}

at::Tensor separated_halves(const at::Tensor& interleaved_NK, std::int64_t features) {
  const std::int64_t width = kernels().tile_columns;
  const at::Tensor padded = interleaved_NK.view({-1, 2, width, interleaved_NK.size(1)}).transpose(0, 1);
  return padded.reshape({2, -1, interleaved_NK.size(1)}).slice(1, 0, features).reshape({2 * features, -1});
}

}  // namespace domainfusion
