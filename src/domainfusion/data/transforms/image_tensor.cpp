#include "domainfusion/data/transforms/image_tensor.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

using Table = std::array<std::array<float, 256>, 3>;

template <class Function>
Table table_of(Function function) {
  Table table;
  for (int c = 0; c < 3; ++c) {
    for (int byte = 0; byte < 256; ++byte) table[c][byte] = function(static_cast<float>(byte) / 255.0f, c);
  }
  return table;
}

void write_planes(const Image& image, const Table& table, float* target) {
  const std::size_t pixels = image.rgb.size() / 3;
  for (int c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) target[i] = table[c][image.rgb[3 * i + c]];
    target += pixels;
  }
}

const Table& normalised_table() {
  static const Table table = table_of([](float value, int c) { return (value - kImageNetMean[c]) / kImageNetStd[c]; });
  return table;
}

at::Tensor per_channel(const std::array<float, 3>& values, const at::Tensor& like) {
  return at::tensor({values[0], values[1], values[2]}, like.options().requires_grad(false)).view({3, 1, 1});
}

void check_planes(const at::Tensor& image) {
  check<ShapeError>(image.dim() >= 3 && image.size(-3) == 3, "an image tensor of shape {}: expected [..., 3, H, W]",
                    fmt::join(image.sizes(), " x "));
}

}  // namespace

void write_tensor01(const Image& image, float* target) {
  static const Table table = table_of([](float value, int) { return value; });
  write_planes(image, table, target);
}

void write_normalised(const Image& image, float* target) { write_planes(image, normalised_table(), target); }

void write_normalised(const Planes& image, float* target) {
  for (int c = 0; c < 3; ++c) {
    const std::array<float, 256>& table = normalised_table()[c];
    const std::uint8_t* bytes = image.channel(c);
    for (std::size_t i = 0; i < image.pixels(); ++i) *target++ = table[bytes[i]];
  }
}

at::Tensor image_to_tensor01(const Image& image) {
  at::Tensor tensor = at::empty({3, image.height, image.width}, at::kFloat);
  write_tensor01(image, tensor.data_ptr<float>());
  return tensor;
}

Image tensor01_to_image(const at::Tensor& image01) {
  check_planes(image01);
  check<ShapeError>(image01.dim() == 3 || (image01.dim() == 4 && image01.size(0) == 1),
                    "a tensor of shape {} is not one image [3, H, W]", fmt::join(image01.sizes(), " x "));
  const at::NoGradGuard no_grad;
  at::Tensor values = image01.dim() == 4 ? image01[0] : image01;
  values = values.to(at::kCPU, at::kFloat);
  check<FormatError>(values.isfinite().all().item<bool>(), "an image tensor holds values that are not finite");
  const at::Tensor bytes = (values.clamp(0, 1) * 255).round().to(at::kByte).permute({1, 2, 0}).contiguous();
  const auto* data = bytes.data_ptr<std::uint8_t>();
  return {static_cast<int>(values.size(1)), static_cast<int>(values.size(2)), {data, data + bytes.numel()}};
}

at::Tensor normalise(const at::Tensor& image01) {
  check_planes(image01);
  return (image01 - per_channel(kImageNetMean, image01)) / per_channel(kImageNetStd, image01);
}

at::Tensor denormalise(const at::Tensor& image_normalised) {
  check_planes(image_normalised);
  return image_normalised * per_channel(kImageNetStd, image_normalised) + per_channel(kImageNetMean, image_normalised);
}

}  // namespace domainfusion
