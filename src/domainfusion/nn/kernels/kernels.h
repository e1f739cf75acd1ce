#pragma once
// The inner loops of inference on a CPU, one table per instruction set: what libtorch's operations would stream through
// memory happens here on a few values in registers. All values are float32; no pointer has to be aligned.

#include <cstdint>
#include <vector>

namespace domainfusion {

// a / b, rounded up.
inline std::int64_t quotient_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// No table has tiles of more rows.
constexpr std::int64_t kMaxTileRows = 16;

struct Kernels {
  const char* instruction_set;  // "avx512", "avx2", "portable"
  // Extent of one tile of a matrix product: what the registers hold.
  std::int64_t tile_rows, tile_columns;
  // Rows of a column panel that fit the first-level cache beside the rest.
  std::int64_t panel_depth;

  // c[r][j] = (accumulate ? c[r][j] : 0) + sum_k a[r][k] * b[k * tile_columns + j], r < tile_rows, j < tile_columns, k
  // < depth; c[r] = c + r * c_stride.
  void (*multiply_tile)(const float* const* a, std::int64_t depth, const float* b, float* c, std::int64_t c_stride,
                        bool accumulate);

  // out = sum + bias + residual over `columns` columns; bias (one row) and residual may be null.
  void (*finish_row)(const float* sum, const float* bias, const float* residual, float* out, std::int64_t columns);
  // out = (value + value_bias) * gelu(gate + gate_bias), exact gelu; the biases may be null.
  void (*finish_gated_row)(const float* value, const float* gate, const float* value_bias, const float* gate_bias,
                           float* out, std::int64_t columns);

  // Winograd's F(2x2, 3x3), see nn/winograd.h. patch: the 4x4 pixels of a tile, `channels` values each; position i of
  // B^T d B goes to out + i * position_stride.
  void (*winograd_input)(const float* const* patch, std::int64_t channels, float* out, std::int64_t position_stride);
  // A^T m A + bias + residual for the 2x2 pixels of a tile, position i of m behind sums + i * position_stride. bias may
  // be null, so may be each residual and each out (a pixel that does not exist).
  void (*winograd_output)(const float* sums, std::int64_t position_stride, std::int64_t columns, const float* bias,
                          const float* const* residual, float* const* out);

  // One more block of an on-line softmax (Milakov and Gimelshein 2018): scores -> exp(scores - m'), m' the larger of m
  // and their maximum; l = l exp(m - m') + their sum; out (`out_columns`) *= exp(m - m').
  void (*softmax_block)(float* scores, std::int64_t count, float* m, float* l, float* out, std::int64_t out_columns);

  // sum[c] += x[p][c] - shift[c], square[c] += (x[p][c] - shift[c])^2 over `pixels` rows of `channels` values.
  void (*channel_moments)(const float* x, std::int64_t pixels, std::int64_t channels, const float* shift, float* sum,
                          float* square);
  // y[p][c] = f(x[p][c] * scale[c] + shift[c]) with f = silu or the identity; rows of y are y_stride apart.
  void (*scale_shift)(const float* x, std::int64_t pixels, std::int64_t channels, const float* scale,
                      const float* shift, bool silu, float* y, std::int64_t y_stride);

  // Group normalisation of maps whose pixels lie one behind the other (training): one channel of one image each, u = x
  // scale + shift, y = silu(u) or u.
  void (*row_moments)(const float* x, std::int64_t count, float about, double* sum, double* square);
  void (*affine_row)(const float* x, std::int64_t count, float scale, float shift, bool silu, float* y);
  // g = dy/du of the activation times `gradient`, into `g`; adds sum g and sum g x.
  void (*activation_gradient_row)(const float* x, const float* gradient, std::int64_t count, float scale, float shift,
                                  bool silu, float* g, double* sum_g, double* sum_gx);
  // out = g a + x b + c.
  void (*combine_row)(const float* g, const float* x, std::int64_t count, float a, float b, float c, float* out);
};

// The tables that this processor runs, the fastest last.
std::vector<const Kernels*> runnable_kernels();
// The fastest of them, or the one that the environment variable DOMAINFUSION_KERNELS names (then results agree to the
// bit with those of a lesser processor). ConfigError for another name.
const Kernels& kernels();

}  // namespace domainfusion
