#pragma once
// Matrix products against weights that were re-packed once, in whose place libtorch re-packs them in every call; and
// whose left side may lie anywhere in memory: a row is a list of segments, each behind a pointer. A convolution is such
// a product without any copy of its input (the indirect convolution of Dukhan 2019), so is a product over concatenated
// channels.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace domainfusion {

// W [N, K] as panels of tile_columns outputs, each with its K rows one behind the other; 0 where N ends inside a panel.
class PackedMatrix {
 public:
  // weight: float32 on the CPU, any strides; K = S x C, the segments of a row one behind the other.
  explicit PackedMatrix(const at::Tensor& weight_NSC);
  std::int64_t outputs() const { return outputs_; }
  std::int64_t depth() const { return depth_; }
  std::int64_t panels() const { return panels_PKn_.size(0); }
  const float* panel(std::int64_t index) const;
  at::Tensor unpacked_NSC() const;  // the weight again, contiguous

 private:
  std::int64_t outputs_, segments_, depth_;
  at::Tensor panels_PKn_;
};

// The left side: `rows` rows, each the concatenation of segments of `segment_lengths` floats.
class ProductRows {
 public:
  virtual ~ProductRows() = default;
  std::int64_t rows = 0;
  std::vector<std::int64_t> segment_lengths;  // their sum is the depth
  // Pointers to one segment of the rows first … first + count - 1.
  virtual void locate(std::int64_t first, std::int64_t count, std::size_t segment, const float** pointers) const = 0;
};

// Rows of one matrix, `stride` floats apart.
class MatrixRows : public ProductRows {
 public:
  MatrixRows(const float* first, std::int64_t count, std::int64_t depth, std::int64_t stride);
  void locate(std::int64_t first, std::int64_t count, std::size_t segment, const float** pointers) const override;

 private:
  const float* first_;
  std::int64_t stride_;
};

// Where a product goes. out [rows, N] = product + bias + residual, all contiguous; bias and residual may be null. The
// bias has one row for each `rows_per_bias` rows of the product (0: one for all).
struct ProductTarget {
  float* out = nullptr;
  const float* bias = nullptr;
  std::int64_t rows_per_bias = 0;
  const float* residual = nullptr;
};

// Each output is summed in one order, whatever the number of threads: results are bit for bit the same.
void packed_product(const ProductRows& rows, const PackedMatrix& weights, const ProductTarget& target);

// out [rows, features] = (rows value^T + value_bias) * gelu(rows gate^T + gate_bias); the biases may be null. The
// weights alternate between a panel of values and one of gates (see interleaved_halves).
void gated_packed_product(const ProductRows& rows, const PackedMatrix& weights, std::int64_t features,
                          const float* value_bias, const float* gate_bias, float* out);

// [2 F, K], values above gates, in the order of gated_packed_product, padded with 0; and back.
at::Tensor interleaved_halves(const at::Tensor& halves_NK);
at::Tensor separated_halves(const at::Tensor& interleaved_NK, std::int64_t features);

}  // namespace domainfusion
