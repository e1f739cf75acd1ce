#include "domainfusion/data/transforms/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "domainfusion/core/error.h"
#include "domainfusion/data/transforms/pixel_loops/pixel_loops.h"

namespace domainfusion {
namespace {

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

// Weights are whole numbers in units of 2^-22, as in PIL: 32 bits less 8 of the pixel and 2 of overshoot.
// For each output position the first input position and the weights from there on.
struct Weights {
  std::vector<ResampleWindow> windows;
  std::vector<std::int32_t> values;  // [output position][stride]
  int stride = 0;

  const std::int32_t* at(int position) const { return values.data() + static_cast<std::size_t>(position) * stride; }
};

Weights weights_for(int input, int output, Filter filter) {
  const double scale = static_cast<double>(input) / output;
  const double filter_scale = std::max(scale, 1.0);
  const double support = half_width(filter) * filter_scale;
  Weights weights;
  const int taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights.stride = (taps + kResampleGroup - 1) / kResampleGroup * kResampleGroup;
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

void check_box(const Image& image, const CropBox& box) {
  check<ShapeError>(box.height >= 1 && box.width >= 1 && box.top >= 0 && box.left >= 0 &&
                        box.height <= image.height - box.top && box.width <= image.width - box.left,
                    "crop of {} x {} at ({}, {}) does not lie in an image of {} x {}", box.width, box.height, box.left,
                    box.top, image.width, image.height);
}

void take_size(Image& image, int height, int width) {
  image.height = height;
  image.width = width;
  image.rgb.resize(std::size_t{3} * height * width);
}

// The box of `image`, `width` wide.
void resize_width(const Image& image, const CropBox& box, int width, Filter filter, Image& result) {
  take_size(result, box.height, width);
  const Weights weights = box.width == width ? Weights() : weights_for(box.width, width, filter);
  for (int y = 0; y < box.height; ++y) {
    const std::size_t start = 3 * (static_cast<std::size_t>(box.top + y) * image.width + box.left);
    const std::uint8_t* from = image.rgb.data() + start;
    std::uint8_t* to = result.rgb.data() + std::size_t{3} * y * width;
    if (box.width == width) {
      std::memcpy(to, from, std::size_t{3} * width);
    } else {
      pixel_loops().resize_row(from, image.rgb.size() - start, to, width, weights.windows.data(), weights.values.data(),
                               weights.stride);
    }
  }
}

void resize_height(const Image& image, int height, Filter filter, Image& result) {
  take_size(result, height, image.width);
  const std::size_t row_bytes = std::size_t{3} * image.width;
  const Weights weights = weights_for(image.height, height, filter);
  for (int y = 0; y < height; ++y) {
    const auto [first, count] = weights.windows[y];
    pixel_loops().blend_rows(image.rgb.data() + row_bytes * first, row_bytes, result.rgb.data() + row_bytes * y,
                             weights.at(y), count);
  }
}

}  // namespace

Image crop(const Image& image, const CropBox& box) {
  return resized_crop(image, box, box.height, box.width, Filter::kBilinear);
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
  Image narrow, result;
  resize_into(image, box, height, width, filter, narrow, result);
  return result;
}

void resize_into(const Image& image, const CropBox& box, int height, int width, Filter filter, Image& narrow,
                 Image& result) {
  check_box(image, box);
  check<ShapeError>(height >= 1 && width >= 1 && height <= kMaxImagePixels / width, "cannot resize to {} x {} pixels",
                    width, height);
  // A pass that changes nothing is left out, as in PIL.
  const bool tall = box.height != height;
  resize_width(image, box, width, filter, tall ? narrow : result);
  if (tall) resize_height(narrow, height, filter, result);
}

}  // namespace domainfusion
