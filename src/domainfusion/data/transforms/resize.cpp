#include "domainfusion/data/transforms/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// Weights are whole numbers in units of 2^-22, as in PIL: 32 bits less 8 of the pixel and 2 of overshoot.
constexpr int kWeightBits = 22;

double sinc(double x) { return x == 0 ? 1 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

double half_width(Filter filter) { return filter == Filter::kBilinear ? 1 : filter == Filter::kBicubic ? 2 : 3; }

double value(Filter filter, double x) {
  const double a = std::abs(x);
  switch (filter) {
    case Filter::kBilinear:
      return a < 1 ? 1 - a : 0;
    case Filter::kBicubic:
      // Keys' kernel with a = -0.5.
      return a < 1 ? (1.5 * a - 2.5) * a * a + 1 : a < 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
    case Filter::kLanczos:
      return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
  }
  return 0;
}

// For each output position the first input position and the weights from there on.
struct Weights {
  struct Window {
    int first, count;
  };
  std::vector<Window> windows;
  std::vector<std::int32_t> values;  // [output position][stride]
  int stride = 0;

  const std::int32_t* at(int position) const { return values.data() + static_cast<std::size_t>(position) * stride; }
};

Weights weights_for(int input, int output, Filter filter) {
  const double scale = static_cast<double>(input) / output;
  const double filter_scale = std::max(scale, 1.0);
  const double support = half_width(filter) * filter_scale;
  Weights weights;
  weights.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights.values.resize(static_cast<std::size_t>(output) * weights.stride);
  std::vector<double> raw(static_cast<std::size_t>(weights.stride));
  for (int position = 0; position < output; ++position) {
    const double centre = (position + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int count = std::min(input, static_cast<int>(centre + support + 0.5)) - first;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      raw[i] = value(filter, (i + first - centre + 0.5) * (1.0 / filter_scale));
      sum += raw[i];
    }
    auto* whole = weights.values.data() + static_cast<std::size_t>(position) * weights.stride;
    for (int i = 0; i < count; ++i) {
      const double weight = sum != 0 ? raw[i] / sum : raw[i];
      whole[i] = static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kWeightBits));
    }
    weights.windows.push_back({first, count});
  }
  return weights;
}

std::uint8_t to_byte(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

// One row of `output` pixels out of a row of input pixels.
void resize_row(const std::uint8_t* input, std::uint8_t* output, int width, const Weights& weights) {
  for (int x = 0; x < width; ++x) {
    const auto [first, count] = weights.windows[x];
    const std::int32_t* w = weights.at(x);
    const std::uint8_t* pixel = input + 3 * first;
    std::int32_t r = kHalf, g = kHalf, b = kHalf;
    for (int i = 0; i < count; ++i, pixel += 3) {
      r += pixel[0] * w[i];
      g += pixel[1] * w[i];
      b += pixel[2] * w[i];
    }
    output[3 * x] = to_byte(r);
    output[3 * x + 1] = to_byte(g);
    output[3 * x + 2] = to_byte(b);
  }
}

// One output row out of `count` input rows, which lie `row_bytes` apart.
void blend_rows(const std::uint8_t* input, std::size_t row_bytes, std::uint8_t* output, std::vector<std::int32_t>& sums,
                const std::int32_t* weights, int count) {
  std::fill(sums.begin(), sums.end(), kHalf);
  for (int i = 0; i < count; ++i) {
    const std::uint8_t* row = input + static_cast<std::size_t>(i) * row_bytes;
    for (std::size_t x = 0; x < row_bytes; ++x) sums[x] += row[x] * weights[i];
  }
  for (std::size_t x = 0; x < row_bytes; ++x) output[x] = to_byte(sums[x]);
}

void check_box(const Image& image, const CropBox& box) {
  check<ShapeError>(box.height >= 1 && box.width >= 1 && box.top >= 0 && box.left >= 0 &&
                        box.height <= image.height - box.top && box.width <= image.width - box.left,
                    "crop of {} x {} at ({}, {}) does not lie in an image of {} x {}", box.width, box.height, box.left,
                    box.top, image.width, image.height);
}

}  // namespace

Image crop(const Image& image, const CropBox& box) {
  check_box(image, box);
  const std::size_t row_bytes = std::size_t{3} * box.width;
  Image part{box.height, box.width, std::vector<std::uint8_t>(row_bytes * box.height)};
  for (int y = 0; y < box.height; ++y) {
    std::memcpy(part.rgb.data() + y * row_bytes,
                image.rgb.data() + 3 * (static_cast<std::size_t>(box.top + y) * image.width + box.left), row_bytes);
  }
  return part;
}

Image flip_left_right(const Image& image) {
  Image flipped{image.height, image.width, std::vector<std::uint8_t>(image.rgb.size())};
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* from = image.rgb.data() + std::size_t{3} * y * image.width;
    std::uint8_t* to = flipped.rgb.data() + std::size_t{3} * (y + 1) * image.width;
    for (int x = 0; x < image.width; ++x) std::memcpy(to -= 3, from + 3 * x, 3);
  }
  return flipped;
}

Image resize(const Image& image, int height, int width, Filter filter) {
  return resized_crop(image, {0, 0, image.height, image.width}, height, width, filter);
}

Image resized_crop(const Image& image, const CropBox& box, int height, int width, Filter filter) {
  check_box(image, box);
  check<ShapeError>(height >= 1 && width >= 1 && height <= kMaxImagePixels / width, "cannot resize to {} x {} pixels",
                    width, height);
  if (box.height == height && box.width == width) return crop(image, box);
  // A pass that changes nothing is left out, as in PIL.
  Image narrow = box.width == width ? crop(image, box) : Image{};
  if (box.width != width) {
    narrow = {box.height, width, std::vector<std::uint8_t>(std::size_t{3} * box.height * width)};
    const Weights weights = weights_for(box.width, width, filter);
    for (int y = 0; y < box.height; ++y) {
      resize_row(image.rgb.data() + 3 * (static_cast<std::size_t>(box.top + y) * image.width + box.left),
                 narrow.rgb.data() + std::size_t{3} * y * width, width, weights);
    }
  }
  if (box.height == height) return narrow;
  const std::size_t row_bytes = std::size_t{3} * width;
  Image result{height, width, std::vector<std::uint8_t>(row_bytes * height)};
  const Weights weights = weights_for(box.height, height, filter);
  std::vector<std::int32_t> sums(row_bytes);
  for (int y = 0; y < height; ++y) {
    const auto [first, count] = weights.windows[y];
    blend_rows(narrow.rgb.data() + row_bytes * first, row_bytes, result.rgb.data() + row_bytes * y, sums, weights.at(y),
               count);
  }
  return result;
}

}  // namespace domainfusion
