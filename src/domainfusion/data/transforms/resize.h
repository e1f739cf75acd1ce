#pragma once
// Crops, flips and resizes with the pixels of PIL: anti-aliased, horizontal pass first, rounded to 8 bits in between.

#include "domainfusion/data/transforms/planes.h"

namespace domainfusion {

enum class Filter { kBilinear, kBicubic, kLanczos };

// ShapeError unless the box lies in the image and is not empty.
Image crop(const Image& image, const CropBox& box);

Image flip_left_right(const Image& image);

// Equals PIL's Image.resize((width, height), filter). ShapeError unless both are >= 1.
Image resize(const Image& image, int height, int width, Filter filter);

// Equals torchvision's resized_crop on PIL images: the box alone is seen by the filter. Copies nothing in between.
Image resized_crop(const Image& image, const CropBox& box, int height, int width, Filter filter);

// The same into `result`; `narrow` is room for what lies between the two passes. Both keep their memory for the next
// call.
void resize_into(const Image& image, const CropBox& box, int height, int width, Filter filter, Image& narrow,
                 Image& result);

}  // namespace domainfusion
