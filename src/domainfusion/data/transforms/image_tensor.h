#pragma once
// Between 8-bit pictures and float tensors.

#include <ATen/core/Tensor.h>

#include <array>

#include "domainfusion/data/transforms/planes.h"

namespace domainfusion {

// ImageNet's statistics, which torchvision's weights expect.
constexpr std::array<float, 3> kImageNetMean{0.485f, 0.456f, 0.406f};
constexpr std::array<float, 3> kImageNetStd{0.229f, 0.224f, 0.225f};
// CLIP's, which its image encoders expect.
constexpr std::array<float, 3> kClipMean{0.48145466f, 0.4578275f, 0.40821073f};
constexpr std::array<float, 3> kClipStd{0.26862954f, 0.26130258f, 0.27577711f};

// float32 [3, H, W] in [0, 1]: byte / 255 (torchvision's ToTensor).
at::Tensor image_to_tensor01(const Image& image);

// Writes image_to_tensor01 into 3 * H * W floats at `target`.
void write_tensor01(const Image& image, float* target);

// Writes (byte / 255 - mean) / std into 3 * H * W floats at `target`, channel by channel.
void write_normalised(const Image& image, float* target);
void write_normalised(const Planes& image, float* target);

// image01 [3, H, W] or [1, 3, H, W], any float dtype and device -> bytes round(255 x), values outside [0, 1] clamped.
// ShapeError for other shapes, FormatError if a value is not finite.
Image tensor01_to_image(const at::Tensor& image01);

// (x - mean) / std per channel, and back; [..., 3, H, W] floats, differentiable, new tensors.
at::Tensor normalise(const at::Tensor& image01);
at::Tensor denormalise(const at::Tensor& image_normalised);

}  // namespace domainfusion
