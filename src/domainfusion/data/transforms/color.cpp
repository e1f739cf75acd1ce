#include "domainfusion/data/transforms/color.h"

#include <algorithm>
#include <array>
#include <vector>

#include "domainfusion/data/transforms/pixel_loops/pixel_loops.h"

namespace domainfusion {
namespace {

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

// What turn_hue() looks up, so that each pixel costs no division.
struct HueTableBytes {
  std::vector<std::uint8_t> hue, saturation;
  std::array<float, 256> share;
  std::array<double, 256> loss;
  std::array<std::uint8_t, 256> sixth;

  HueTableBytes() : hue(6 << 16), saturation(1 << 16) {
    for (int range = 0; range < 256; ++range) {
      for (int below = 0; below <= range; ++below) fill_hues(range, below);
      for (int high = range; high < 256; ++high) {
        saturation[high << 8 | range] = hsv_of(high, high - range, high - range).saturation;
      }
    }
    for (int i = 0; i < 256; ++i) {
      share[i] = static_cast<float>(i / 255.0);
      const double sixths = i * 6.0 / 255.0;
      const int whole = static_cast<int>(sixths);
      const auto rest = static_cast<float>(sixths - static_cast<float>(whole));
      sixth[i] = static_cast<std::uint8_t>(whole % 6);
      loss[i] = whole % 2 == 0 ? 1.0 - rest : rest;
    }
  }

  // A hue depends on which channels are highest and lowest, and on differences alone.
  void fill_hues(int range, int below) {
    const int high = 255, low = high - range, middle = high - below;
    const std::array<Hsv, 6> colours{hsv_of(high, middle, low), hsv_of(high, low, middle), hsv_of(middle, high, low),
                                     hsv_of(low, high, middle), hsv_of(low, middle, high), hsv_of(middle, low, high)};
    for (int order = 0; order < 6; ++order) hue[order << 16 | range << 8 | below] = colours[order].hue;
  }

  HueTables tables() const { return {hue.data(), saturation.data(), share.data(), loss.data(), sixth.data()}; }
};

void blend_all_with_grey(Planes& image, int grey, double factor) {
  pixel_loops().blend_with_grey(image.bytes.data(), image.bytes.size(), grey, static_cast<float>(factor));
}

int mean_grey(const Planes& image) {
  const std::int64_t sum =
      pixel_loops().sum_of_luma(image.channel(0), image.channel(1), image.channel(2), image.pixels());
  return static_cast<int>(static_cast<double>(sum) / static_cast<double>(image.pixels()) + 0.5);
}

template <class Change>
Image changed(const Image& image, Change change) {
  Planes planes = planes_of(image);
  change(planes);
  return image_of(planes);
}

}  // namespace

void grayscale(Planes& image) {
  // With factor 0 nothing but the grey is left.
  pixel_loops().blend_with_luma(image.channel(0), image.channel(1), image.channel(2), image.pixels(), 0.0f);
}

void adjust_brightness(Planes& image, double factor) { blend_all_with_grey(image, 0, factor); }

void adjust_contrast(Planes& image, double factor) { blend_all_with_grey(image, mean_grey(image), factor); }

void adjust_saturation(Planes& image, double factor) {
  pixel_loops().blend_with_luma(image.channel(0), image.channel(1), image.channel(2), image.pixels(),
                                static_cast<float>(factor));
}

void adjust_hue(Planes& image, double factor) {
  static const HueTableBytes tables;
  pixel_loops().turn_hue(image.channel(0), image.channel(1), image.channel(2), image.pixels(),
                         static_cast<std::uint8_t>(static_cast<int>(factor * 255)), tables.tables());
}

Image grayscale(const Image& image) {
  return changed(image, [](Planes& planes) { grayscale(planes); });
}

Image adjust_brightness(const Image& image, double factor) {
  return changed(image, [&](Planes& planes) { adjust_brightness(planes, factor); });
}

Image adjust_contrast(const Image& image, double factor) {
  return changed(image, [&](Planes& planes) { adjust_contrast(planes, factor); });
}

Image adjust_saturation(const Image& image, double factor) {
  return changed(image, [&](Planes& planes) { adjust_saturation(planes, factor); });
}

Image adjust_hue(const Image& image, double factor) {
  return changed(image, [&](Planes& planes) { adjust_hue(planes, factor); });
}

}  // namespace domainfusion
