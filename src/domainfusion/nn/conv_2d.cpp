#include "domainfusion/nn/conv_2d.h"

#include <torch/torch.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/inference.h"

namespace domainfusion {
namespace {

// The index in 0 … from - 1 that each of `to` pixels copies (as libtorch's upsample_nearest2d rounds).
std::vector<std::int64_t> nearest_sources(std::int64_t from, std::int64_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  std::vector<std::int64_t> sources;
  for (std::int64_t i = 0; i < to; ++i) {
    sources.push_back(std::min(static_cast<std::int64_t>(static_cast<float>(i) * scale), from - 1));
  }
  return sources;
}

// One row per output pixel; its segments are the pixels under the kernel, row by row, each in the parts that the maps come in.
class ConvolutionRows : public ProductRows {
 public:
  ConvolutionRows(std::vector<at::Tensor> pixels_NhwC, const Conv2dOptions& options, const Conv2dExtras& extras)
      : parts_(std::move(pixels_NhwC)), options_(options) {
    const at::Tensor& first = parts_.front();
    in_y_ = nearest_sources(first.size(1), extras.height > 0 ? extras.height : first.size(1));
    in_x_ = nearest_sources(first.size(2), extras.width > 0 ? extras.width : first.size(2));
    height = extent(in_y_.size());
    width = extent(in_x_.size());
    rows = first.size(0) * height * width;
    for (std::int64_t tap = 0; tap < options.kernel * options.kernel; ++tap) {
      for (const at::Tensor& part : parts_) segment_lengths.push_back(part.size(3));
    }
    zeros_.resize(static_cast<std::size_t>(*std::max_element(segment_lengths.begin(), segment_lengths.end())));
  }

  void locate(std::int64_t first, std::int64_t count, std::size_t segment, const float** pointers) const override {
    const auto tap = static_cast<std::int64_t>(segment / parts_.size());
    const at::Tensor& part = parts_[segment % parts_.size()];
    const float* data = part.data_ptr<float>();
    const std::int64_t h = part.size(1), w = part.size(2), channels = part.size(3);
    std::int64_t x = first % width, y = first / width % height, image = first / width / height;
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t in_y = y * options_.stride + tap / options_.kernel - options_.padding;
      const std::int64_t in_x = x * options_.stride + tap % options_.kernel - options_.padding;
      const bool inside = in_y >= 0 && in_x >= 0 && in_y < std::ssize(in_y_) && in_x < std::ssize(in_x_);
      pointers[r] = !inside ? zeros_.data()
                            : data + ((image * h + in_y_[static_cast<std::size_t>(in_y)]) * w +
                                      in_x_[static_cast<std::size_t>(in_x)]) * channels;
      if (++x == width) x = 0, ++y;
      if (y == height) y = 0, ++image;
    }
  }

  std::int64_t height, width;  // of the output

 private:
  std::int64_t extent(std::size_t in) const {
    return (static_cast<std::int64_t>(in) + 2 * options_.padding + options_.padding_after - options_.kernel) / options_.stride + 1;
  }

  std::vector<at::Tensor> parts_;
  const Conv2dOptions& options_;
  std::vector<std::int64_t> in_y_, in_x_;  // pixel of the maps behind each pixel of the (enlarged) input
  std::vector<float> zeros_;
};

}  // namespace

Conv2dOptions one_by_one(std::int64_t in_channels, std::int64_t out_channels) {
  return {.in_channels = in_channels, .out_channels = out_channels, .kernel = 1};
}

Conv2dOptions three_by_three(std::int64_t in_channels, std::int64_t out_channels) {
  return {.in_channels = in_channels, .out_channels = out_channels, .kernel = 3, .padding = 1};
}

Conv2dImpl::Conv2dImpl(const Conv2dOptions& options)
    : PackedLayer({options.out_channels, options.in_channels, options.kernel, options.kernel}, options.out_channels, true),
      options_(options) {}

at::Tensor Conv2dImpl::from_matrix(const at::Tensor& matrix_NSC) const {
  return matrix_NSC.transpose(1, 2).reshape(weight_.sizes());
}

at::Tensor Conv2dImpl::forward(at::TensorList maps, const Conv2dExtras& extras) {
  const bool fast = uses_kernels(maps, weight_) && uses_kernels({extras.per_image_NC, extras.residual_NChw}, bias_);
  return fast ? packed(maps, extras) : plain(maps, extras);
}

at::Tensor Conv2dImpl::plain(at::TensorList maps, const Conv2dExtras& extras) {
  at::Tensor x = maps.size() == 1 ? maps[0] : at::cat(maps, 1);
  if (extras.height > 0) x = at::upsample_nearest2d(x, at::IntArrayRef({extras.height, extras.width}));
  if (options_.padding_after > 0) x = at::constant_pad_nd(x, {0, options_.padding_after, 0, options_.padding_after});
  x = at::conv2d(x, plain_weight(), bias_, options_.stride, options_.padding);
  // In-place sums are safe for autograd: no convolution keeps its output for the backward pass.
  if (extras.per_image_NC.defined()) x.add_(extras.per_image_NC.unsqueeze(-1).unsqueeze(-1));
  return extras.residual_NChw.defined() ? x.add_(extras.residual_NChw) : x;
}

at::Tensor Conv2dImpl::packed(at::TensorList maps, const Conv2dExtras& extras) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : maps) parts.push_back(pixels_NhwC(part));
  const ConvolutionRows rows(parts, options_, extras);
  const auto weights = packed_weight();
  const at::Tensor out = at::empty({parts[0].size(0), rows.height, rows.width, options_.out_channels}, parts[0].options());
  const at::Tensor bias_NC = extras.per_image_NC.defined() ? (extras.per_image_NC + bias_).contiguous() : bias_;
  const at::Tensor residual = extras.residual_NChw.defined() ? pixels_NhwC(extras.residual_NChw) : at::Tensor();
  check<ShapeError>(!residual.defined() || residual.sizes() == out.sizes(), "convolution result [{}], residual [{}]",
                    fmt::join(out.sizes(), ", "), fmt::join(residual.sizes(), ", "));
  packed_product(rows, *weights,
                 {.out = out.data_ptr<float>(),
                  .bias = bias_NC.data_ptr<float>(),
                  .rows_per_bias = extras.per_image_NC.defined() ? rows.height * rows.width : 0,
                  .residual = residual.defined() ? residual.data_ptr<float>() : nullptr});
  return maps_NChw(out);
}

}  // namespace domainfusion
