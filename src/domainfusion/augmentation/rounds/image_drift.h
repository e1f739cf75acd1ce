#pragma once
// How far an image lies from another in style, content and pixels.

#include <ATen/core/Tensor.h>

#include "domainfusion/augmentation/rounds/synthetic_store.h"

namespace domainfusion {

// image01, x01, raw01: [3, S, S] or [1, 3, S, S] in [0, 1]. Style and content are compared with x, pixels with raw;
// computed in float64. ShapeError if the shapes differ.
ImageDrift image_drift(const at::Tensor& image01, const at::Tensor& x01, const at::Tensor& raw01);

}  // namespace domainfusion
