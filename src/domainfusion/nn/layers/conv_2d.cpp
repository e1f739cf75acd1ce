#include "domainfusion/nn/layers/conv_2d.h"

#include <torch/types.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/kernels/padded_pixels.h"
#include "domainfusion/nn/kernels/winograd.h"
#include "domainfusion/nn/memory/activation_memory.h"
#include "domainfusion/nn/operation_count.h"

namespace domainfusion {
namespace {

// Below the first the transforms cost more than they save, above the second the larger weights (16 numbers for 9) do.
constexpr std::int64_t kWinogradChannels = 16, kWinogradWeights = 1920 * 640;

// Decided by the layer alone: were it decided by the maps, an image's bits would depend on those beside it.
bool suits_winograd(const Conv2dOptions& o) {
  return o.kernel == 3 && o.stride == 1 && o.padding == 1 && o.padding_after == 0 &&
         std::min(o.in_channels, o.out_channels) >= kWinogradChannels &&
         o.in_channels * o.out_channels <= kWinogradWeights;
}

std::vector<PaddedPixels> padded_pixels(at::TensorList maps, const Conv2dOptions& options, const Conv2dExtras& extras) {
  std::vector<PaddedPixels> parts;
  std::int64_t channels = 0;
  for (const at::Tensor& part : maps) {
    check<ShapeError>(
        part.dim() == 4 && part.size(0) == maps[0].size(0) && part.sizes().slice(2) == maps[0].sizes().slice(2),
        "convolution of maps [{}] beside [{}]", fmt::join(part.sizes(), ", "), fmt::join(maps[0].sizes(), ", "));
    channels += part.size(1);
    parts.emplace_back(pixels_NhwC(part), extras.height, extras.width);
  }
  const std::int64_t least = options.kernel - 2 * options.padding - options.padding_after;
  check<ShapeError>(channels == options.in_channels && parts[0].height() >= least && parts[0].width() >= least,
                    "convolution of {} channels of {}x{}: expected {} channels, at least {}x{}", channels,
                    parts[0].height(), parts[0].width(), options.in_channels, least, least);
  return parts;
}

at::Tensor convolved(const at::Tensor& x_NChw, const at::Tensor& weight, const at::Tensor& bias,
                     const Conv2dOptions& o) {
  if (!BFloat16Convolutions::active() || !x_NChw.is_cpu()) {
    return at::conv2d(x_NChw, weight, bias, o.stride, o.padding);
  }
  const auto small = [](const at::Tensor& t) { return t.defined() ? t.to(at::kBFloat16) : t; };
  return at::conv2d(small(x_NChw), small(weight), small(bias), o.stride, o.padding).to(at::kFloat);
}

// One row per output pixel; its segments are the pixels under the kernel, row by row, each in the parts that the maps
// come in.
class ConvolutionRows : public ProductRows {
 public:
  ConvolutionRows(const std::vector<PaddedPixels>& parts, const Conv2dOptions& options)
      : height(extent(parts[0].height(), options)),
        width(extent(parts[0].width(), options)),
        parts_(parts),
        options_(options) {
    rows = parts[0].images() * height * width;
    for (std::int64_t tap = 0; tap < options.kernel * options.kernel; ++tap) {
      for (const PaddedPixels& part : parts) segment_lengths.push_back(part.channels());
    }
  }

  void locate(std::int64_t first, std::int64_t count, std::size_t segment, const float** pointers) const override {
    const auto tap = static_cast<std::int64_t>(segment / parts_.size());
    const PaddedPixels& part = parts_[segment % parts_.size()];
    const std::int64_t down = tap / options_.kernel - options_.padding,
                       right = tap % options_.kernel - options_.padding;
    std::int64_t x = first % width, y = first / width % height, image = first / width / height;
    for (std::int64_t r = 0; r < count; ++r) {
      pointers[r] = part.at(image, y * options_.stride + down, x * options_.stride + right);
      if (++x == width) x = 0, ++y;
      if (y == height) y = 0, ++image;
    }
  }

  const std::int64_t height, width;  // of the output

 private:
  static std::int64_t extent(std::int64_t in, const Conv2dOptions& o) {
    return (in + 2 * o.padding + o.padding_after - o.kernel) / o.stride + 1;
  }

  const std::vector<PaddedPixels>& parts_;
  const Conv2dOptions& options_;
};

}  // namespace

Conv2dOptions one_by_one(std::int64_t in_channels, std::int64_t out_channels) {
  return {.in_channels = in_channels, .out_channels = out_channels, .kernel = 1};
}

Conv2dOptions three_by_three(std::int64_t in_channels, std::int64_t out_channels) {
  return {.in_channels = in_channels, .out_channels = out_channels, .kernel = 3, .padding = 1};
}

Conv2dImpl::Conv2dImpl(const Conv2dOptions& options)
    : PackedLayer({options.out_channels, options.in_channels, options.kernel, options.kernel}, options.out_channels,
                  true),
      options_(options),
      winograd_(suits_winograd(options)) {}

at::Tensor Conv2dImpl::to_matrix_NSC(const at::Tensor& weight) const {
  return winograd_ ? winograd_weight(weight) : weight.flatten(2).transpose(1, 2);
}

at::Tensor Conv2dImpl::from_matrix(const at::Tensor& matrix_NSC) const {
  return winograd_ ? weight_of_winograd(matrix_NSC) : matrix_NSC.transpose(1, 2).reshape(weight_.sizes());
}

at::Tensor Conv2dImpl::forward(at::TensorList maps, const Conv2dExtras& extras) {
  const bool fast = uses_kernels(maps, weight_) && uses_kernels({extras.per_image_NC, extras.residual_NChw}, bias_);
  const at::Tensor out = fast ? packed(maps, extras) : plain(maps, extras);
  count_multiply_adds(static_cast<double>(out.numel()) *
                      static_cast<double>(options_.in_channels * options_.kernel * options_.kernel));
  return out;
}

at::Tensor Conv2dImpl::plain(at::TensorList maps, const Conv2dExtras& extras) {
  at::Tensor x = maps.size() == 1 ? maps[0] : at::cat(maps, 1);
  if (extras.height > 0) x = at::upsample_nearest2d(x, at::IntArrayRef({extras.height, extras.width}));
  if (options_.padding_after > 0) x = at::constant_pad_nd(x, {0, options_.padding_after, 0, options_.padding_after});
  // A GPU's convolution adds its bias in a pass of its own: one pass for both.
  const bool joins_bias = x.is_cuda() && extras.per_image_NC.defined();
  x = convolved(x, plain_weight(), joins_bias ? at::Tensor() : bias_, options_);
  const at::Tensor per_image_NC = joins_bias ? extras.per_image_NC + bias_ : extras.per_image_NC;
  // In-place sums are safe for autograd: no convolution keeps its output for the backward pass.
  if (per_image_NC.defined()) x.add_(per_image_NC.unsqueeze(-1).unsqueeze(-1));
  return extras.residual_NChw.defined() ? x.add_(extras.residual_NChw) : x;
}

at::Tensor Conv2dImpl::packed(at::TensorList maps, const Conv2dExtras& extras) {
  if (winograd_ && maps.size() > 1) return packed(at::cat(maps, 1), extras);
  const std::vector<PaddedPixels> parts = padded_pixels(maps, options_, extras);
  const ConvolutionRows rows(parts, options_);
  const at::Tensor out = new_activation({parts[0].images(), rows.height, rows.width, options_.out_channels});
  const at::Tensor bias_NC = extras.per_image_NC.defined()
                                 ? (extras.per_image_NC + bias_).expand({parts[0].images(), -1}).contiguous()
                                 : bias_;
  const at::Tensor residual = extras.residual_NChw.defined() ? pixels_NhwC(extras.residual_NChw) : at::Tensor();
  check<ShapeError>(!residual.defined() || residual.sizes() == out.sizes(), "convolution result [{}], residual [{}]",
                    fmt::join(out.sizes(), ", "),
                    fmt::join(residual.defined() ? residual.sizes() : at::IntArrayRef(), ", "));
  const ProductTarget target{.out = out.data_ptr<float>(),
                             .bias = bias_NC.data_ptr<float>(),
                             .rows_per_bias = extras.per_image_NC.defined() ? rows.height * rows.width : 0,
                             .residual = residual.defined() ? residual.data_ptr<float>() : nullptr};
  if (winograd_) {
    winograd_convolution(parts[0], *packed_weight(), target);
  } else {
    packed_product(rows, *packed_weight(), target);
  }
  return maps_NChw(out);
}

}  // namespace domainfusion
