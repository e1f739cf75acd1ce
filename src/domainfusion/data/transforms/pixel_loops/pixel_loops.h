#pragma once
// The inner loops of resizing and colour changes, compiled for several instruction sets. All give the same bytes:
// whole-number arithmetic, or single steps of IEEE arithmetic that are never fused.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace domainfusion {

// What a resampled position is made of: `count` inputs from `first` on, their weights in units of 2^-kWeightBits.
struct ResampleWindow {
  int first, count;
};
constexpr int kWeightBits = 22;
// A window's weights are followed by zeros up to a multiple of this.
constexpr int kResampleGroup = 4;

// Per hue byte: which sixth of the circle, and how much of the saturation the middle channel loses there.
struct HueTables {
  const std::uint8_t* hue;  // [which channels are highest and lowest: 6][range 256][highest - middle 256] -> hue byte
  const std::uint8_t* saturation;  // [highest 256][range 256] -> saturation byte
  const float* share;              // [saturation byte] -> saturation / 255
  const double* loss;              // [hue byte]
  const std::uint8_t* sixth;       // [hue byte]
};

struct PixelLoops {
  const char* instruction_set;
  // One row of `width` RGB pixels out of a row of input pixels. `readable`: bytes that may be read from `input` on.
  void (*resize_row)(const std::uint8_t* input, std::size_t readable, std::uint8_t* output, int width,
                     const ResampleWindow* windows, const std::int32_t* weights, int stride);
  // `bytes` bytes out of `count` rows that lie `bytes` apart.
  void (*blend_rows)(const std::uint8_t* input, std::size_t bytes, std::uint8_t* output, const std::int32_t* weights,
                     int count);
  // An RGB row into three planes that lie `plane` bytes apart.
  void (*split_row)(const std::uint8_t* rgb, std::uint8_t* red, std::size_t plane, std::size_t width, bool flip);
  // In place: clamp(grey + factor (value - grey)), cut off towards zero, in single precision.
  void (*blend_with_grey)(std::uint8_t* bytes, std::size_t count, int grey, float factor);
  std::int64_t (*sum_of_luma)(const std::uint8_t* r, const std::uint8_t* g, const std::uint8_t* b, std::size_t pixels);
  void (*blend_with_luma)(std::uint8_t* r, std::uint8_t* g, std::uint8_t* b, std::size_t pixels, float factor);
  void (*turn_hue)(std::uint8_t* r, std::uint8_t* g, std::uint8_t* b, std::size_t pixels, std::uint8_t shift,
                   const HueTables& tables);
};

// The fastest of those that this processor runs.
const PixelLoops& pixel_loops();
// All that this processor runs, the portable ones first: for tests.
std::vector<const PixelLoops*> runnable_pixel_loops();

}  // namespace domainfusion
