// The inner loops for vectors of kWidth floats and tiles of kRows x kVectors vectors; compiled once per instruction
// set, inside the including file's own namespace. No standard header may be included: an inline function of it,
// compiled for a newer processor, could be the copy that the linker keeps for all.

typedef float Vector __attribute__((vector_size(4 * kWidth)));
typedef int IntVector __attribute__((vector_size(4 * kWidth)));
typedef float Unaligned __attribute__((vector_size(4 * kWidth), aligned(4), may_alias));

constexpr std::int64_t kColumns = kVectors * kWidth;

static inline Vector load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
static inline void store(float* p, Vector v) { *reinterpret_cast<Unaligned*>(p) = v; }
static inline Vector splat(float x) { return x - Vector{}; }

// The first `count` values; the others are 0.
static inline Vector load_part(const float* p, std::int64_t count) {
  Vector v{};
  for (std::int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}
static inline void store_part(float* p, Vector v, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) p[i] = v[i];
}

// Calls f(index, loader, storer) for whole vectors, then for what is left.
template <class F>
static inline void for_each_vector(std::int64_t count, F&& f) {
  std::int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    f(
        i, [](const float* p) { return load(p); }, [](float* p, Vector v) { store(p, v); });
  }
  if (const std::int64_t left = count - i; left > 0) {
    f(
        i, [left](const float* p) { return load_part(p, left); },
        [left](float* p, Vector v) { store_part(p, v, left); });
  }
}

// x between the limits; NaN stays NaN.
static inline Vector clamped(Vector x, float low, float high) {
  x = x < low ? splat(low) : x;
  return x > high ? splat(high) : x;
}

// e^x to 1e-7, relative, for -87 <= x <= 88; outside, the value at that end. 2^n e^r with |r| <= ln(2)/2; the
// polynomial of e^r is Cephes' (Moshier).
static inline Vector exp_of(Vector x) {
  x = clamped(x, -87.0f, 88.0f);
  const float round = 12582912.0f;  // 1.5 * 2^23: adding it leaves an integer
  const Vector n = (x * 1.44269504088896341f + round) - round;
  const Vector r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Vector e = (p * (r * r) + r) + 1.0f;
  const IntVector power = (__builtin_convertvector(n, IntVector) + 127) << 23;
  return e * reinterpret_cast<Vector>(power);
}

static inline Vector silu_of(Vector x) { return x / (1.0f + exp_of(-x)); }

// x Phi(x), Phi the normal distribution's, from the error function of Abramowitz and Stegun 7.1.26 (absolute
// error 1.5e-7).
static inline Vector gelu_of(Vector x) {
  const Vector z = (x > 0.0f ? x : -x) * 0.70710678118654752f;
  const Vector t = 1.0f / (1.0f + 0.3275911f * z);
  Vector p = t * 1.061405429f - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vector tail = 0.5f * p * t * exp_of(-z * z);  // Phi(-|x|)
  return x * (x > 0.0f ? 1.0f - tail : tail);
}

static void multiply_tile(const float* const* a, std::int64_t depth, const float* b, float* c, std::int64_t c_stride,
                          bool accumulate) {
  const float* row[kRows];
  Vector sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    row[r] = a[r];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = accumulate ? load(c + r * c_stride + v * kWidth) : Vector{};
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) column[v] = load(b + v * kWidth);
    b += kColumns;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vector value = splat(row[r][k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] += value * column[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store(c + r * c_stride + v * kWidth, sum[r][v]);
  }
}

static void finish_row(const float* sum, const float* bias, const float* residual, float* out, std::int64_t columns) {
  for_each_vector(columns, [&](std::int64_t j, auto in, auto write) {
    Vector v = in(sum + j);
    if (bias) v += in(bias + j);
    if (residual) v += in(residual + j);
    write(out + j, v);
  });
}

static void finish_gated_row(const float* value, const float* gate, const float* value_bias, const float* gate_bias,
                             float* out, std::int64_t columns) {
  for_each_vector(columns, [&](std::int64_t j, auto in, auto write) {
    Vector v = in(value + j), g = in(gate + j);
    if (value_bias) v += in(value_bias + j);
    if (gate_bias) g += in(gate_bias + j);
    write(out + j, v * gelu_of(g));
  });
}

static void winograd_input(const float* const* patch, std::int64_t channels, float* out, std::int64_t position_stride) {
  for_each_vector(channels, [&](std::int64_t c, auto in, auto write) {
    Vector t[4][4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) {
      const Vector d0 = in(patch[x] + c), d1 = in(patch[4 + x] + c), d2 = in(patch[8 + x] + c),
                   d3 = in(patch[12 + x] + c);
      t[0][x] = d0 - d2;
      t[1][x] = d1 + d2;
      t[2][x] = d2 - d1;
      t[3][x] = d1 - d3;
    }
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) {
      float* row = out + 4 * y * position_stride + c;
      write(row, t[y][0] - t[y][2]);
      write(row + position_stride, t[y][1] + t[y][2]);
      write(row + 2 * position_stride, t[y][2] - t[y][1]);
      write(row + 3 * position_stride, t[y][1] - t[y][3]);
    }
  });
}

static void winograd_output(const float* sums, std::int64_t position_stride, std::int64_t columns, const float* bias,
                            const float* const* residual, float* const* out) {
  for_each_vector(columns, [&](std::int64_t j, auto in, auto write) {
    Vector t[2][4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) {
      const float* column = sums + x * position_stride + j;
      const Vector m1 = load(column + 4 * position_stride), m2 = load(column + 8 * position_stride);
      t[0][x] = load(column) + m1 + m2;
      t[1][x] = m1 - m2 - load(column + 12 * position_stride);
    }
    const Vector added = bias ? in(bias + j) : Vector{};
#pragma GCC unroll 2
    for (int y = 0; y < 2; ++y) {
      const Vector pixel[2] = {t[y][0] + t[y][1] + t[y][2] + added, t[y][1] - t[y][2] - t[y][3] + added};
#pragma GCC unroll 2
      for (int x = 0; x < 2; ++x) {
        const int i = 2 * y + x;
        if (out[i]) write(out[i] + j, residual[i] ? pixel[x] + in(residual[i] + j) : pixel[x]);
      }
    }
  });
}

static float maximum(const float* x, std::int64_t count) {
  float result = x[0];
  Vector highest = splat(x[0]);
  std::int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    const Vector v = load(x + i);
    highest = v > highest ? v : highest;
  }
  for (; i < count; ++i) result = result > x[i] ? result : x[i];
  for (int w = 0; w < kWidth; ++w) result = result > highest[w] ? result : highest[w];
  return result;
}

static float sum_of(Vector v) {
  float total = 0;
  for (int w = 0; w < kWidth; ++w) total += v[w];
  return total;
}

static void softmax_block(float* scores, std::int64_t count, float* m, float* l, float* out, std::int64_t out_columns) {
  const float highest = maximum(scores, count), m_new = highest > *m ? highest : *m;
  Vector total{};
  for_each_vector(count, [&](std::int64_t j, auto in, auto write) {
    write(scores + j, exp_of(in(scores + j) - m_new));
    total += in(scores + j);
  });
  const float shrink = exp_of(splat(*m - m_new))[0];
  if (m_new > *m) {
    for_each_vector(out_columns, [&](std::int64_t j, auto in, auto write) { write(out + j, in(out + j) * shrink); });
  }
  *l = *l * shrink + sum_of(total);
  *m = m_new;
}

static void channel_moments(const float* x, std::int64_t pixels, std::int64_t channels, const float* shift, float* sum,
                            float* square) {
  for (std::int64_t p = 0; p < pixels; ++p, x += channels) {
    for_each_vector(channels, [&](std::int64_t c, auto in, auto write) {
      const Vector d = in(x + c) - in(shift + c);
      write(sum + c, in(sum + c) + d);
      write(square + c, in(square + c) + d * d);
    });
  }
}

static void scale_shift(const float* x, std::int64_t pixels, std::int64_t channels, const float* scale,
                        const float* shift, bool silu, float* y, std::int64_t y_stride) {
  for (std::int64_t p = 0; p < pixels; ++p, x += channels, y += y_stride) {
    for_each_vector(channels, [&](std::int64_t c, auto in, auto write) {
      const Vector v = in(x + c) * in(scale + c) + in(shift + c);
      write(y + c, silu ? silu_of(v) : v);
    });
  }
}

// Sums of a part of a row stay in float32 no longer than this.
constexpr std::int64_t kSumLength = 1024;

static void row_moments(const float* x, std::int64_t count, float about, double* sum, double* square) {
  for (std::int64_t first = 0; first < count; first += kSumLength) {
    const std::int64_t length = count - first < kSumLength ? count - first : kSumLength;
    Vector s{}, q{};
    for_each_vector(length, [&](std::int64_t i, auto in, auto) {
      Vector d = in(x + first + i) - about;
      if (i + kWidth > length) {
        for (std::int64_t w = length - i; w < kWidth; ++w) d[w] = 0;
      }
      s += d;
      q += d * d;
    });
    *sum += static_cast<double>(sum_of(s));
    *square += static_cast<double>(sum_of(q));
  }
}

static void affine_row(const float* x, std::int64_t count, float scale, float shift, bool silu, float* y) {
  for_each_vector(count, [&](std::int64_t i, auto in, auto write) {
    const Vector u = in(x + i) * scale + shift;
    write(y + i, silu ? silu_of(u) : u);
  });
}

// d silu(u) / du = s (1 + u (1 - s)), s = 1 / (1 + e^-u).
static inline Vector silu_slope(Vector u) {
  const Vector s = 1.0f / (1.0f + exp_of(-u));
  return s * (1.0f + u * (1.0f - s));
}

static void activation_gradient_row(const float* x, const float* gradient, std::int64_t count, float scale, float shift,
                                    bool silu, float* g, double* sum_g, double* sum_gx) {
  for (std::int64_t first = 0; first < count; first += kSumLength) {
    const std::int64_t length = count - first < kSumLength ? count - first : kSumLength;
    Vector s{}, t{};
    for_each_vector(length, [&](std::int64_t i, auto in, auto write) {
      const Vector v = in(x + first + i);
      Vector d = in(gradient + first + i);  // 0 behind the end: adds nothing
      if (silu) d *= silu_slope(v * scale + shift);
      write(g + first + i, d);
      s += d;
      t += d * v;
    });
    *sum_g += static_cast<double>(sum_of(s));
    *sum_gx += static_cast<double>(sum_of(t));
  }
}

static void combine_row(const float* g, const float* x, std::int64_t count, float a, float b, float c, float* out) {
  for_each_vector(count,
                  [&](std::int64_t i, auto in, auto write) { write(out + i, in(g + i) * a + in(x + i) * b + c); });
}

constexpr Kernels table(const char* name, std::int64_t panel_depth) {
  return {name,
          kRows,
          kColumns,
          panel_depth,
          multiply_tile,
          finish_row,
          finish_gated_row,
          winograd_input,
          winograd_output,
          softmax_block,
          channel_moments,
          scale_shift,
          row_moments,
          affine_row,
          activation_gradient_row,
          combine_row};
}
