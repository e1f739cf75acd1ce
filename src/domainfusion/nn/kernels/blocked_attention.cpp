#include "domainfusion/nn/kernels/blocked_attention.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/kernels/parallel_tasks.h"
#include "domainfusion/nn/memory/activation_memory.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kQueryRows = 64;  // about: the scores of one block stay in the second-level cache
constexpr std::int64_t kKeyRows = 512;

std::int64_t rounded_up(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

struct AttentionShape {
  std::int64_t images, queries, keys, heads, depth;
  std::int64_t channels() const { return heads * depth; }
};

// Keys and values of all heads as column panels of the tile kernel: k^T [panels of keys, depth, columns], scaled, and
// v [panels of depth, keys, columns].
class PackedContext {
 public:
  PackedContext(const at::Tensor& k_NMC, const at::Tensor& v_NMC, const AttentionShape& shape)
      : shape_(shape),
        width_(kernels().tile_columns),
        key_panels_(rounded_up(shape.keys, width_) / width_),
        depth_panels_(rounded_up(shape.depth, width_) / width_),
        k_(new_activation({shape.images * shape.heads, key_panels_, shape.depth, width_}).zero_()),
        v_(new_activation({shape.images * shape.heads, depth_panels_, shape.keys, width_}).zero_()) {
    const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.depth)));
    const std::int64_t heads = shape.images * shape.heads;
    for_each_task(heads * key_panels_,
                  [&](std::int64_t i) { pack_rows(i / key_panels_, i % key_panels_, scale, k_NMC, v_NMC); });
  }

  const float* keys(std::int64_t head, std::int64_t panel) const {
    return k_.data_ptr<float>() + (head * key_panels_ + panel) * shape_.depth * width_;
  }
  const float* values(std::int64_t head, std::int64_t panel) const {
    return v_.data_ptr<float>() + (head * depth_panels_ + panel) * shape_.keys * width_;
  }
  std::int64_t depth_panels() const { return depth_panels_; }

 private:
  void pack_rows(std::int64_t head, std::int64_t panel, float scale, const at::Tensor& k, const at::Tensor& v) {
    const std::int64_t first = panel * width_, count = std::min(width_, shape_.keys - first);
    const std::int64_t offset =
        head / shape_.heads * shape_.keys * shape_.channels() + head % shape_.heads * shape_.depth;
    float* keys = const_cast<float*>(this->keys(head, panel));
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t row = offset + (first + j) * shape_.channels();
      const float *key = k.data_ptr<float>() + row, *value = v.data_ptr<float>() + row;
      for (std::int64_t c = 0; c < shape_.depth; ++c) keys[c * width_ + j] = key[c] * scale;
      for (std::int64_t p = 0; p < depth_panels_; ++p) {
        const std::int64_t columns = std::min(width_, shape_.depth - p * width_);
        std::copy_n(value + p * width_, columns, const_cast<float*>(values(head, p)) + (first + j) * width_);
      }
    }
  }

  AttentionShape shape_;
  std::int64_t width_, key_panels_, depth_panels_;
  at::Tensor k_, v_;
};

// The queries of one block of one head; its scratch memory serves all blocks of keys.
class QueryBlock {
 public:
  QueryBlock(const float* q, std::int64_t count, const AttentionShape& shape, const PackedContext& context,
             std::int64_t head)
      : k_(kernels()), shape_(shape), context_(context), head_(head), count_(count) {
    padded_ = rounded_up(count, k_.tile_rows);
    out_stride_ = context.depth_panels() * k_.tile_columns;
    for (std::int64_t r = 0; r < padded_; ++r) queries_.push_back(q + std::min(r, count - 1) * shape.channels());
    scores_.resize(static_cast<std::size_t>(padded_ * kKeyRows));
    out_.resize(static_cast<std::size_t>(padded_ * out_stride_));
    maxima_.assign(static_cast<std::size_t>(padded_), -std::numeric_limits<float>::infinity());
    sums_.resize(static_cast<std::size_t>(padded_));
  }

  void attend(float* out) {
    for (std::int64_t first = 0; first < shape_.keys; first += kKeyRows) {
      const std::int64_t count = std::min(kKeyRows, shape_.keys - first);
      score(first, count);
      for (std::int64_t r = 0; r < count_; ++r) {
        const auto i = static_cast<std::size_t>(r);
        k_.softmax_block(row(scores_, r, kKeyRows), count, &maxima_[i], &sums_[i], row(out_, r, out_stride_),
                         out_stride_);
      }
      add_values(first, count);
    }
    for (std::int64_t r = 0; r < count_; ++r) {
      const float inverse = 1.0f / sums_[static_cast<std::size_t>(r)];
      const float* mixed = row(out_, r, out_stride_);
      for (std::int64_t c = 0; c < shape_.depth; ++c) out[r * shape_.channels() + c] = mixed[c] * inverse;
    }
  }

 private:
  static float* row(std::vector<float>& values, std::int64_t r, std::int64_t stride) {
    return values.data() + r * stride;
  }

  // a_rows[r] are `depth` long; c (+)= a b with the depth in parts that the first-level cache holds.
  void multiply(const float* const* a_rows, std::int64_t depth, const float* b, float* c, std::int64_t c_stride,
                bool accumulate) {
    for (std::int64_t offset = 0; offset < depth; offset += k_.panel_depth) {
      const std::int64_t length = std::min(k_.panel_depth, depth - offset);
      for (std::int64_t r = 0; r < padded_; r += k_.tile_rows) {
        const float* a[kMaxTileRows];
        for (std::int64_t i = 0; i < k_.tile_rows; ++i) a[i] = a_rows[r + i] + offset;
        k_.multiply_tile(a, length, b + offset * k_.tile_columns, c + r * c_stride, c_stride, accumulate || offset > 0);
      }
    }
  }

  void score(std::int64_t first, std::int64_t count) {
    const std::int64_t width = k_.tile_columns, panels = rounded_up(count, width) / width;
    for (std::int64_t p = 0; p < panels; ++p) {
      multiply(queries_.data(), shape_.depth, context_.keys(head_, first / width + p), scores_.data() + p * width,
               kKeyRows, false);
    }
  }

  void add_values(std::int64_t first, std::int64_t count) {
    std::vector<const float*> weights;
    for (std::int64_t r = 0; r < padded_; ++r) weights.push_back(row(scores_, std::min(r, count_ - 1), kKeyRows));
    for (std::int64_t p = 0; p < context_.depth_panels(); ++p) {
      multiply(weights.data(), count, context_.values(head_, p) + first * k_.tile_columns,
               out_.data() + p * k_.tile_columns, out_stride_, true);
    }
  }

  const Kernels& k_;
  const AttentionShape& shape_;
  const PackedContext& context_;
  std::int64_t head_, count_, padded_, out_stride_;
  std::vector<const float*> queries_;
  std::vector<float> scores_, out_, maxima_, sums_;
};

}  // namespace

at::Tensor blocked_attention(const at::Tensor& q_NLC, const at::Tensor& k_NMC, const at::Tensor& v_NMC,
                             std::int64_t heads) {
  const at::Tensor q = q_NLC.contiguous(), k = k_NMC.contiguous(), v = v_NMC.contiguous();
  check<ShapeError>(k.sizes() == v.sizes() && k.size(0) == q.size(0) && k.size(2) == q.size(2),
                    "attention of queries [{}] to keys [{}] and values [{}]", fmt::join(q.sizes(), ", "),
                    fmt::join(k.sizes(), ", "), fmt::join(v.sizes(), ", "));
  const AttentionShape shape{q.size(0), q.size(1), k.size(1), heads, q.size(2) / heads};
  const PackedContext context(k, v, shape);
  const at::Tensor out = new_activation(q.sizes());
  const std::int64_t block = rounded_up(kQueryRows, kernels().tile_rows), blocks = (shape.queries + block - 1) / block;
  for_each_task(shape.images * heads * blocks, [&](std::int64_t task) {
    const std::int64_t head = task / blocks, first = task % blocks * block;
    const std::int64_t at = (head / heads * shape.queries + first) * shape.channels() + head % heads * shape.depth;
    QueryBlock(q.data_ptr<float>() + at, std::min(block, shape.queries - first), shape, context, head)
        .attend(out.data_ptr<float>() + at);
  });
  return out;
}

}  // namespace domainfusion
