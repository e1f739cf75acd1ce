#pragma once
// DomainBed's training augmentation: RandomResizedCrop, flip, ColorJitter, RandomGrayscale. What is drawn and what is
// done with it are apart, so that the deterministic part can be held to torchvision's numbers.

#include <array>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/data/transforms/resize.h"

namespace domainfusion {

struct AugmentationConfig {
  double crop_scale_low = 0.7;  // share of the area
  double crop_scale_high = 1.0;
  double crop_ratio_low = 3.0 / 4.0;  // width / height
  double crop_ratio_high = 4.0 / 3.0;
  double flip = 0.5;        // probability
  double brightness = 0.3;  // factors from max(0, 1 - x) to 1 + x
  double contrast = 0.3;
  double saturation = 0.3;
  double hue = 0.3;        // turn from -x to x of the circle
  double grayscale = 0.1;  // probability
  void describe(ConfigFields& fields);
};

enum class ColorChange { kBrightness, kContrast, kSaturation, kHue };

// All that is random about the augmentation of one image.
struct AugmentationDraws {
  CropBox crop;
  bool flip = false;
  std::array<ColorChange, 4> order{ColorChange::kBrightness, ColorChange::kContrast, ColorChange::kSaturation,
                                   ColorChange::kHue};
  double brightness = 1, contrast = 1, saturation = 1;  // factors
  double hue = 0;                                       // [-0.5, 0.5]
  bool grayscale = false;
};

// Draws for an image of the given size, with torchvision's rules (ten tries for a crop, then the largest central one).
AugmentationDraws draw_augmentation(int height, int width, const AugmentationConfig& config, RandomStream& stream);

// The augmented image, size_px x size_px. A colour change with the neutral value (1, or hue 0) is left out.
Planes augmented(const Image& image, const AugmentationDraws& draws, int size_px);

// The same in memory that is used again from image to image.
class Augmenter {
 public:
  // Stays as it is until the next call.
  const Planes& operator()(const Image& image, const AugmentationDraws& draws, int size_px);

 private:
  Image narrow_, resized_;
  Planes planes_;
};

// DomainBed's evaluation transform: the whole image, resized to size_px x size_px (bilinear; the aspect is not kept).
Image evaluation_view(const Image& image, int size_px);

}  // namespace domainfusion
