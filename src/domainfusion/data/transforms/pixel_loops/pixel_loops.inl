// Compiled once per instruction set; see pixel_loops.h. Written so that compilers turn the loops into vector
// instructions. No function of a standard header may be used: an inline one, compiled for a newer processor, could be
// the copy that the linker keeps for all.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "domainfusion/data/transforms/pixel_loops/pixel_loops.h"

#define DOMAINFUSION_TEXT_OF(x) #x
#define DOMAINFUSION_TEXT(x) DOMAINFUSION_TEXT_OF(x)
#define DOMAINFUSION_JOIN_OF(a, b) a##b
#define DOMAINFUSION_JOIN(a, b) DOMAINFUSION_JOIN_OF(a, b)

namespace domainfusion {
namespace {

using Bytes16 = std::uint8_t __attribute__((vector_size(16)));
using Ints16 = std::int32_t __attribute__((vector_size(64)));

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

inline std::int32_t larger(std::int32_t a, std::int32_t b) { return a > b ? a : b; }
inline std::int32_t smaller(std::int32_t a, std::int32_t b) { return a < b ? a : b; }

inline std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(larger(smaller(sum >> kWeightBits, 255), 0));
}

// The sum of one window, pixel by pixel.
inline void resize_pixel(const std::uint8_t* pixel, std::uint8_t* output, const std::int32_t* weights, int count) {
  std::int32_t r = kHalf, g = kHalf, b = kHalf;
  for (int i = 0; i < count; ++i, pixel += 3) {
    r += pixel[0] * weights[i];
    g += pixel[1] * weights[i];
    b += pixel[2] * weights[i];
  }
  output[0] = to_byte(r);
  output[1] = to_byte(g);
  output[2] = to_byte(b);
}

#ifdef __AVX2__
// Whether kResampleGroup taps at a time may be read and four bytes written.
inline bool has_room(std::size_t first, int taps, std::size_t readable) { return 3 * (first + taps) + 4 <= readable; }

inline void write_pixel(__m128i sum, std::uint8_t* output) {
  const __m128i bytes = _mm_srai_epi32(sum, kWeightBits);
  const int pixel = _mm_cvtsi128_si32(_mm_packus_epi16(_mm_packus_epi32(bytes, bytes), bytes));
  __builtin_memcpy(output, &pixel, 4);
}
#endif

#ifdef __AVX512BW__
// Four pixels as 4 x (R, G, B, 0), each times its weight; the four sums are added at the end.
inline __m128i window_sum(const std::uint8_t* pixel, const std::int32_t* weights, int taps) {
  const __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  const __m512i repeat = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  __m512i sum = _mm512_castsi128_si512(_mm_set1_epi32(kHalf));
  sum = _mm512_maskz_mov_epi32(0xf, sum);
  for (int i = 0; i < taps; i += 4, pixel += 12) {
    const __m128i bytes = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pixel)), spread);
    const __m512i four = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + i)));
    sum =
        _mm512_add_epi32(sum, _mm512_mullo_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_permutexvar_epi32(repeat, four)));
  }
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}
#elif defined(__AVX2__)
// Two pixels at a time as 2 x (R, G, B, 0).
inline __m128i window_sum(const std::uint8_t* pixel, const std::int32_t* weights, int taps) {
  const __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i repeat = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  __m256i sum = _mm256_setr_epi32(kHalf, kHalf, kHalf, kHalf, 0, 0, 0, 0);
  for (int i = 0; i < taps; i += 2, pixel += 6) {
    const __m128i bytes = _mm_shuffle_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixel)), spread);
    const __m256i two = _mm256_castsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + i)));
    sum = _mm256_add_epi32(sum,
                           _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_permutevar8x32_epi32(two, repeat)));
  }
  return _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}
#endif

void resize_row(const std::uint8_t* input, std::size_t readable, std::uint8_t* output, int width,
                const ResampleWindow* windows, const std::int32_t* weights, int stride) {
  for (int x = 0; x < width; ++x, weights += stride, output += 3) {
    const auto [first, count] = windows[x];
    const std::uint8_t* pixel = input + 3 * first;
#ifdef __AVX2__
    const int taps = (count + kResampleGroup - 1) / kResampleGroup * kResampleGroup;
    // The next pixel's place takes the fourth byte; at the end of a row there is none.
    if (x + 1 < width && has_room(static_cast<std::size_t>(first), taps, readable)) {
      write_pixel(window_sum(pixel, weights, taps), output);
      continue;
    }
#endif
    resize_pixel(pixel, output, weights, count);
  }
}

void blend_rows(const std::uint8_t* input, std::size_t bytes, std::uint8_t* output, const std::int32_t* weights,
                int count) {
  std::size_t x = 0;
  for (; x + 16 <= bytes; x += 16) {
    Ints16 sum = {};
    for (int i = 0; i < count; ++i) {
      Bytes16 row;
      __builtin_memcpy(&row, input + static_cast<std::size_t>(i) * bytes + x, 16);
      sum += __builtin_convertvector(row, Ints16) * weights[i];
    }
    sum = (sum + kHalf) >> kWeightBits;
    const Ints16 lowest = {}, highest = lowest + 255;
    sum = sum < lowest ? lowest : sum;
    sum = sum > highest ? highest : sum;
    const Bytes16 result = __builtin_convertvector(sum, Bytes16);
    __builtin_memcpy(output + x, &result, 16);
  }
  for (; x < bytes; ++x) {
    std::int32_t sum = kHalf;
    for (int i = 0; i < count; ++i) sum += input[static_cast<std::size_t>(i) * bytes + x] * weights[i];
    output[x] = to_byte(sum);
  }
}

void split_row(const std::uint8_t* __restrict rgb, std::uint8_t* __restrict red, std::size_t plane, std::size_t width,
               bool flip) {
  std::uint8_t* __restrict green = red + plane;
  std::uint8_t* __restrict blue = green + plane;
  if (flip) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint8_t* pixel = rgb + 3 * (width - 1 - x);
      red[x] = pixel[0];
      green[x] = pixel[1];
      blue[x] = pixel[2];
    }
    return;
  }
  for (std::size_t x = 0; x < width; ++x) {
    red[x] = rgb[3 * x];
    green[x] = rgb[3 * x + 1];
    blue[x] = rgb[3 * x + 2];
  }
}

// PIL's Image.blend of two bytes.
inline std::uint8_t blend(int grey, int value, float factor) {
  const float mixed = static_cast<float>(grey) + factor * static_cast<float>(value - grey);
  const float low = mixed < 0.0f ? 0.0f : mixed;
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(low > 255.0f ? 255.0f : low));
}

inline int luma(int r, int g, int b) { return (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16; }

void blend_with_grey(std::uint8_t* __restrict bytes, std::size_t count, int grey, float factor) {
  for (std::size_t i = 0; i < count; ++i) bytes[i] = blend(grey, bytes[i], factor);
}

std::int64_t sum_of_luma(const std::uint8_t* r, const std::uint8_t* g, const std::uint8_t* b, std::size_t pixels) {
  constexpr std::size_t kBlock = 4096;  // its sum fits 32 bits
  std::int64_t total = 0;
  for (std::size_t begin = 0; begin < pixels; begin += kBlock) {
    const std::size_t end = begin + kBlock < pixels ? begin + kBlock : pixels;
    std::int32_t sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += luma(r[i], g[i], b[i]);
    total += sum;
  }
  return total;
}

void blend_with_luma(std::uint8_t* __restrict r, std::uint8_t* __restrict g, std::uint8_t* __restrict b,
                     std::size_t pixels, float factor) {
  for (std::size_t i = 0; i < pixels; ++i) {
    const int grey = luma(r[i], g[i], b[i]);
    r[i] = blend(grey, r[i], factor);
    g[i] = blend(grey, g[i], factor);
    b[i] = blend(grey, b[i], factor);
  }
}

inline std::uint8_t rounded(double value) { return static_cast<std::uint8_t>(static_cast<std::int32_t>(value + 0.5)); }

// A block of pixels on its way through HSV: first whole numbers, then what tables say, then colours again.
struct HueBlock {
  static constexpr std::size_t kSize = 256;
  std::int32_t place[kSize];  // in the table of hues
  std::uint8_t high[kSize], range[kSize];
  std::uint8_t sixth[kSize];
  float share[kSize];
  double loss[kSize];
};

void measure(HueBlock& block, const std::uint8_t* r, const std::uint8_t* g, const std::uint8_t* b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t red = r[i], green = g[i], blue = b[i];
    const std::int32_t high = larger(larger(red, green), blue), low = smaller(smaller(red, green), blue);
    const std::int32_t middle = red + green + blue - high - low;
    // Red is asked first, then green, as PIL does where two are equal.
    const std::int32_t if_red = blue == low ? 0 : 1, if_green = blue == low ? 2 : 3, if_blue = red == low ? 4 : 5;
    const std::int32_t order = red == high ? if_red : green == high ? if_green : if_blue;
    block.place[i] = order << 16 | (high - low) << 8 | (high - middle);
    block.high[i] = static_cast<std::uint8_t>(high);
    block.range[i] = static_cast<std::uint8_t>(high - low);
  }
}

void look_up(HueBlock& block, std::size_t count, std::uint8_t shift, const HueTables& tables) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto hue = static_cast<std::uint8_t>(tables.hue[block.place[i]] + shift);
    block.sixth[i] = tables.sixth[hue];
    block.loss[i] = tables.loss[hue];
    block.share[i] = tables.share[tables.saturation[block.high[i] << 8 | block.range[i]]];
  }
}

void colour(const HueBlock& block, std::uint8_t* r, std::uint8_t* g, std::uint8_t* b, std::size_t count) {
  std::uint8_t low[HueBlock::kSize], middle[HueBlock::kSize];
  for (std::size_t i = 0; i < count; ++i) {
    const double value = block.high[i], share = block.share[i], product = share * block.loss[i];
    low[i] = rounded(value * (1.0 - share));
    // In the odd sixths PIL multiplies in single precision.
    const double lost = block.sixth[i] % 2 == 0 ? product : static_cast<double>(static_cast<float>(product));
    middle[i] = rounded(value * (1.0 - lost));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t at = block.sixth[i], high = block.high[i];
    r[i] = at == 0 || at == 5 ? high : at == 1 || at == 4 ? middle[i] : low[i];
    g[i] = at == 1 || at == 2 ? high : at == 0 || at == 3 ? middle[i] : low[i];
    b[i] = at == 3 || at == 4 ? high : at == 2 || at == 5 ? middle[i] : low[i];
  }
}

void turn_hue(std::uint8_t* r, std::uint8_t* g, std::uint8_t* b, std::size_t pixels, std::uint8_t shift,
              const HueTables& tables) {
  HueBlock block;
  for (std::size_t begin = 0; begin < pixels; begin += HueBlock::kSize) {
    const std::size_t count = pixels - begin < HueBlock::kSize ? pixels - begin : HueBlock::kSize;
    measure(block, r + begin, g + begin, b + begin, count);
    look_up(block, count, shift, tables);
    colour(block, r + begin, g + begin, b + begin, count);
  }
}

}  // namespace

extern const PixelLoops DOMAINFUSION_JOIN(kPixelLoops_, DOMAINFUSION_INSTRUCTION_SET);
const PixelLoops DOMAINFUSION_JOIN(kPixelLoops_, DOMAINFUSION_INSTRUCTION_SET){
    DOMAINFUSION_TEXT(DOMAINFUSION_INSTRUCTION_SET),
    resize_row,
    blend_rows,
    split_row,
    blend_with_grey,
    sum_of_luma,
    blend_with_luma,
    turn_hue};

}  // namespace domainfusion
