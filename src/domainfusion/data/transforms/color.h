#pragma once
// torchvision's colour transforms on PIL images, with PIL's 8-bit arithmetic.

#include "domainfusion/data/transforms/planes.h"

namespace domainfusion {

// Each change exists in place, for speed, and for whole images.
// (19595 R + 38470 G + 7471 B + 32768) / 65536, in all three channels.
void grayscale(Planes& image);
Image grayscale(const Image& image);

// Mixtures degenerate + factor (image - degenerate), clipped: the degenerate image is black, the mean grey, the grey
// image. factor >= 0; 1 changes nothing.
void adjust_brightness(Planes& image, double factor);
void adjust_contrast(Planes& image, double factor);
void adjust_saturation(Planes& image, double factor);
Image adjust_brightness(const Image& image, double factor);
Image adjust_contrast(const Image& image, double factor);
Image adjust_saturation(const Image& image, double factor);

// Turns the hue by factor in [-0.5, 0.5] of the circle, over PIL's 8-bit HSV.
void adjust_hue(Planes& image, double factor);
Image adjust_hue(const Image& image, double factor);

}  // namespace domainfusion
