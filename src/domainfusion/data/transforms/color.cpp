#include "domainfusion/data/transforms/color.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace domainfusion {
namespace {

std::uint8_t luma(const std::uint8_t* pixel) {
  return static_cast<std::uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 32768) >> 16);
}

// PIL's Image.blend of two bytes; single precision, cut off towards zero.
std::uint8_t blend(int degenerate, int value, float factor) {
  const float mixed = static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate);
  return static_cast<std::uint8_t>(std::clamp(mixed, 0.0f, 255.0f));
}

// Blends with one grey value; 256 results serve all pixels.
Image blend_with_grey(const Image& image, int grey, double factor) {
  std::array<std::uint8_t, 256> table;
  for (int value = 0; value < 256; ++value) table[value] = blend(grey, value, static_cast<float>(factor));
  Image result = image;
  for (std::uint8_t& byte : result.rgb) byte = table[byte];
  return result;
}

int mean_grey(const Image& image) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) sum += luma(&image.rgb[i]);
  return static_cast<int>(static_cast<double>(sum) / static_cast<double>(image.rgb.size() / 3) + 0.5);
}

struct Hsv {
  std::uint8_t hue, saturation, value;
};

// Hue and saturation in 255ths, cut off, as in PIL's convert('HSV').
Hsv hsv_of(int r, int g, int b) {
  const int high = std::max({r, g, b}), low = std::min({r, g, b});
  if (high == low) return {0, 0, static_cast<std::uint8_t>(high)};
  const auto range = static_cast<float>(high - low);
  const float saturation = range / static_cast<float>(high);
  const float from_r = static_cast<float>(high - r) / range;
  const float from_g = static_cast<float>(high - g) / range;
  const float from_b = static_cast<float>(high - b) / range;
  const auto sixths = static_cast<float>(r == high   ? from_b - from_g
                                         : g == high ? 2.0 + from_r - from_b
                                                     : 4.0 + from_g - from_r);
  const double turned = sixths / 6.0 + 1.0;
  const auto hue = static_cast<float>(turned >= 1.0 ? turned - 1.0 : turned);
  return {static_cast<std::uint8_t>(hue * 255.0), static_cast<std::uint8_t>(saturation * 255.0),
          static_cast<std::uint8_t>(high)};
}

std::uint8_t rounded(double value) {
  return static_cast<std::uint8_t>(std::clamp(static_cast<int>(value + 0.5), 0, 255));
}

// Where a hue lies on the circle: which sixth, and how far into it.
struct HuePlace {
  int sixth;
  float rest;
};

std::array<HuePlace, 256> hue_places() {
  std::array<HuePlace, 256> places;
  for (int hue = 0; hue < 256; ++hue) {
    const double sixths = hue * 6.0 / 255.0;
    const int whole = static_cast<int>(sixths);
    places[hue] = {whole % 6, static_cast<float>(sixths - static_cast<float>(whole))};
  }
  return places;
}

void rgb_of(const HuePlace& place, std::uint8_t saturation, std::uint8_t value, std::uint8_t* pixel) {
  // For each sixth the channels of the highest, the lowest and the middle value.
  constexpr std::array<std::array<std::uint8_t, 3>, 6> kChannels{
      {{0, 2, 1}, {1, 2, 0}, {1, 0, 2}, {2, 0, 1}, {2, 1, 0}, {0, 1, 2}}};
  const auto share = static_cast<float>(saturation / 255.0);
  const double middle = place.sixth % 2 == 0 ? 1.0 - share * (1.0 - place.rest) : 1.0 - share * place.rest;
  const auto& [high_channel, low_channel, middle_channel] = kChannels[place.sixth];
  pixel[high_channel] = value;
  pixel[low_channel] = rounded(value * (1.0 - share));
  pixel[middle_channel] = rounded(value * middle);
}

}  // namespace

Image grayscale(const Image& image) {
  Image grey = image;
  for (std::size_t i = 0; i < grey.rgb.size(); i += 3) {
    grey.rgb[i] = grey.rgb[i + 1] = grey.rgb[i + 2] = luma(&image.rgb[i]);
  }
  return grey;
}

Image adjust_brightness(const Image& image, double factor) { return blend_with_grey(image, 0, factor); }

Image adjust_contrast(const Image& image, double factor) { return blend_with_grey(image, mean_grey(image), factor); }

Image adjust_saturation(const Image& image, double factor) {
  Image result = image;
  for (std::size_t i = 0; i < result.rgb.size(); i += 3) {
    const int grey = luma(&image.rgb[i]);
    for (std::size_t c = i; c < i + 3; ++c) result.rgb[c] = blend(grey, image.rgb[c], static_cast<float>(factor));
  }
  return result;
}

Image adjust_hue(const Image& image, double factor) {
  Image result = image;
  const auto shift = static_cast<std::uint8_t>(static_cast<int>(factor * 255));
  const auto places = hue_places();
  for (std::size_t i = 0; i < result.rgb.size(); i += 3) {
    const Hsv hsv = hsv_of(image.rgb[i], image.rgb[i + 1], image.rgb[i + 2]);
    rgb_of(places[static_cast<std::uint8_t>(hsv.hue + shift)], hsv.saturation, hsv.value, &result.rgb[i]);
  }
  return result;
}

}  // namespace domainfusion
