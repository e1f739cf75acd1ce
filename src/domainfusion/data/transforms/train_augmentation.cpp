#include "domainfusion/data/transforms/train_augmentation.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/data/transforms/color.h"

namespace domainfusion {
namespace {

constexpr int kCropTries = 10;

// Python's round(): halves go to the even neighbour.
int rounded(double value) { return static_cast<int>(std::nearbyint(value)); }

int draw_below(int bound, RandomStream& stream) {
  return static_cast<int>(stream.below(static_cast<std::uint64_t>(bound)));
}

CropBox central_crop(int height, int width, const AugmentationConfig& config) {
  const double ratio = static_cast<double>(width) / height;
  int h = height, w = width;
  if (ratio < config.crop_ratio_low) h = std::min(height, rounded(width / config.crop_ratio_low));
  if (ratio > config.crop_ratio_high) w = std::min(width, rounded(height * config.crop_ratio_high));
  h = std::max(h, 1);
  w = std::max(w, 1);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

CropBox draw_crop(int height, int width, const AugmentationConfig& config, RandomStream& stream) {
  const double area = static_cast<double>(height) * width;
  for (int i = 0; i < kCropTries; ++i) {
    const double target = area * stream.uniform(config.crop_scale_low, config.crop_scale_high);
    const double ratio = std::exp(stream.uniform(std::log(config.crop_ratio_low), std::log(config.crop_ratio_high)));
    const int w = rounded(std::sqrt(target * ratio)), h = rounded(std::sqrt(target / ratio));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    const int top = draw_below(height - h + 1, stream);
    return {top, draw_below(width - w + 1, stream), h, w};
  }
  return central_crop(height, width, config);
}

double draw_factor(double strength, RandomStream& stream) {
  return stream.uniform(std::max(0.0, 1 - strength), 1 + strength);
}

void change_color(Planes& image, ColorChange change, const AugmentationDraws& draws) {
  switch (change) {
    case ColorChange::kBrightness:
      if (draws.brightness != 1) adjust_brightness(image, draws.brightness);
      break;
    case ColorChange::kContrast:
      if (draws.contrast != 1) adjust_contrast(image, draws.contrast);
      break;
    case ColorChange::kSaturation:
      if (draws.saturation != 1) adjust_saturation(image, draws.saturation);
      break;
    case ColorChange::kHue:
      if (draws.hue != 0) adjust_hue(image, draws.hue);
      break;
  }
}

}  // namespace

void AugmentationConfig::describe(ConfigFields& fields) {
  fields.real("crop_scale_low", crop_scale_low, {0.01, 1}, "smallest share of the area that a random crop keeps");
  fields.real("crop_scale_high", crop_scale_high, {0.01, 1}, "largest share of the area that a random crop keeps");
  fields.real("crop_ratio_low", crop_ratio_low, {0.1, 10}, "smallest width / height of a random crop");
  fields.real("crop_ratio_high", crop_ratio_high, {0.1, 10}, "largest width / height of a random crop");
  fields.real("flip", flip, {0, 1}, "probability of a left-right flip");
  fields.real("brightness", brightness, {0, 10}, "brightness factor is drawn from 1 - x to 1 + x");
  fields.real("contrast", contrast, {0, 10}, "contrast factor is drawn from 1 - x to 1 + x");
  fields.real("saturation", saturation, {0, 10}, "saturation factor is drawn from 1 - x to 1 + x");
  fields.real("hue", hue, {0, 0.5}, "hue is turned by -x to x of the circle");
  fields.real("grayscale", grayscale, {0, 1}, "probability of a grey image");
}

AugmentationDraws draw_augmentation(int height, int width, const AugmentationConfig& config, RandomStream& stream) {
  AugmentationDraws draws;
  draws.crop = draw_crop(height, width, config, stream);
  draws.flip = stream.uniform() < config.flip;
  for (int i = 3; i > 0; --i) std::swap(draws.order[i], draws.order[draw_below(i + 1, stream)]);
  draws.brightness = draw_factor(config.brightness, stream);
  draws.contrast = draw_factor(config.contrast, stream);
  draws.saturation = draw_factor(config.saturation, stream);
  draws.hue = stream.uniform(-config.hue, config.hue);
  draws.grayscale = stream.uniform() < config.grayscale;
  return draws;
}

Planes augmented(const Image& image, const AugmentationDraws& draws, int size_px) {
  return Augmenter()(image, draws, size_px);
}

const Planes& Augmenter::operator()(const Image& image, const AugmentationDraws& draws, int size_px) {
  resize_into(image, draws.crop, size_px, size_px, Filter::kBilinear, narrow_, resized_);
  split_into(resized_, draws.flip, planes_);
  for (const ColorChange change : draws.order) change_color(planes_, change, draws);
  if (draws.grayscale) grayscale(planes_);
  return planes_;
}

Image evaluation_view(const Image& image, int size_px) { return resize(image, size_px, size_px, Filter::kBilinear); }

}  // namespace domainfusion
