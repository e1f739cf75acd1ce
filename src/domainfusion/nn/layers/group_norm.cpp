#include "domainfusion/nn/layers/group_norm.h"

#include <ATen/Parallel.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/cuda/group_norm_cuda.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/layers/group_norm_gradient.h"
#include "domainfusion/nn/memory/activation_memory.h"

namespace domainfusion {
namespace {

// Fixed, so that sums do not depend on the number of threads.
constexpr std::int64_t kChunkPixels = 128;

// Pixels first … first + count - 1 of one image of maps [N, h, w, C].
struct Chunk {
  std::int64_t image, first, count;
  const float* of(const at::Tensor& pixels_NhwC) const {
    const std::int64_t pixels = pixels_NhwC.size(1) * pixels_NhwC.size(2);
    return pixels_NhwC.data_ptr<float>() + (image * pixels + first) * pixels_NhwC.size(3);
  }
};

std::int64_t chunks_per_image(std::int64_t pixels) { return (pixels + kChunkPixels - 1) / kChunkPixels; }

void for_each_chunk(std::int64_t images, std::int64_t pixels,
                    const std::function<void(std::int64_t, const Chunk&)>& work) {
  const std::int64_t chunks = chunks_per_image(pixels);
  at::parallel_for(0, images * chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % chunks * kChunkPixels;
      work(i, {i / chunks, first, std::min(kChunkPixels, pixels - first)});
    }
  });
}

// Mean and standard deviation of each group turned into one factor and one summand per channel: y = x * scale + shift.
struct Affine {
  at::Tensor scale_NC, shift_NC;
};

class GroupMoments {
 public:
  GroupMoments(const std::vector<at::Tensor>& parts_NhwC, std::int64_t channels)
      : parts_(parts_NhwC),
        images_(parts_[0].size(0)),
        pixels_(parts_[0].size(1) * parts_[0].size(2)),
        channels_(channels),
        sums_(at::zeros({images_ * chunks_per_image(pixels_), 2, channels}, parts_[0].options())) {
    for_each_chunk(images_, pixels_, [&](std::int64_t index, const Chunk& chunk) { add(index, chunk); });
  }

  Affine affine(std::int64_t groups, double eps, const float* weight, const float* bias) const {
    Affine result{at::empty({images_, channels_}, sums_.options()), at::empty({images_, channels_}, sums_.options())};
    for (std::int64_t image = 0; image < images_; ++image) {
      for (std::int64_t group = 0; group < groups; ++group)
        write(image, group, channels_ / groups, eps, weight, bias, result);
    }
    return result;
  }

 private:
  // Sums are taken about the image's first pixel: squares of values far from 0 would lose their digits.
  void add(std::int64_t index, const Chunk& chunk) {
    float* sum = sums_.data_ptr<float>() + index * 2 * channels_;
    std::int64_t channel = 0;
    for (const at::Tensor& part : parts_) {
      const std::int64_t count = part.size(3);
      kernels().channel_moments(chunk.of(part), chunk.count, count, Chunk{chunk.image, 0, 1}.of(part), sum + channel,
                                sum + channels_ + channel);
      channel += count;
    }
  }

  float first_pixel(std::int64_t image, std::int64_t channel) const {
    for (const at::Tensor& part : parts_) {
      if (channel < part.size(3)) return Chunk{image, 0, 1}.of(part)[channel];
      channel -= part.size(3);
    }
    return 0;
  }

  // Mean and sum of squares about it, of one channel.
  std::pair<double, double> moments(std::int64_t image, std::int64_t channel) const {
    const std::int64_t chunks = chunks_per_image(pixels_);
    double sum = 0, square = 0;
    for (std::int64_t i = image * chunks; i < (image + 1) * chunks; ++i) {
      const float* sums = sums_.data_ptr<float>() + i * 2 * channels_ + channel;
      sum += sums[0];
      square += sums[channels_];
    }
    const double offset = sum / static_cast<double>(pixels_);
    return {offset + first_pixel(image, channel), square - sum * offset};
  }

  void write(std::int64_t image, std::int64_t group, std::int64_t size, double eps, const float* weight,
             const float* bias, Affine& result) const {
    std::vector<double> means;
    double mean = 0, square = 0;
    for (std::int64_t c = group * size; c < (group + 1) * size; ++c) {
      const auto [channel_mean, channel_square] = moments(image, c);
      means.push_back(channel_mean);
      mean += channel_mean / static_cast<double>(size);
      square += channel_square;
    }
    for (const double m : means) square += static_cast<double>(pixels_) * (m - mean) * (m - mean);
    const double inverse = 1.0 / std::sqrt(std::max(square, 0.0) / static_cast<double>(pixels_ * size) + eps);
    for (std::int64_t c = group * size; c < (group + 1) * size; ++c) {
      const double scale = inverse * weight[c];
      result.scale_NC.data_ptr<float>()[image * channels_ + c] = static_cast<float>(scale);
      result.shift_NC.data_ptr<float>()[image * channels_ + c] = static_cast<float>(bias[c] - mean * scale);
    }
  }

  const std::vector<at::Tensor>& parts_;
  std::int64_t images_, pixels_, channels_;
  at::Tensor sums_;  // [images x chunks, 2, channels]
};

}  // namespace

GroupNormImpl::GroupNormImpl(std::int64_t groups, std::int64_t channels, double eps, Activation activation)
    : groups_(groups),
      channels_(channels),
      eps_(eps),
      silu_(activation == Activation::kSilu),
      weight_(register_parameter("weight", torch::empty({channels}))),
      bias_(register_parameter("bias", torch::empty({channels}))) {
  check<ConfigError>(groups >= 1 && channels % groups == 0, "norm_num_groups = {} does not divide {} channels", groups,
                     channels);
}

at::Tensor GroupNormImpl::forward(at::TensorList maps) {
  return uses_kernels(maps, weight_) && uses_kernels(bias_) ? channels_last(maps) : plain(maps);
}

at::Tensor GroupNormImpl::plain(at::TensorList maps) const {
  const at::Tensor x = maps.size() == 1 ? maps[0] : at::cat(maps, 1);
  if (runs_on_kernels(x) && x.numel() > 0) return group_norm_with_gradient(x, groups_, weight_, bias_, eps_, silu_);
  if (suits_group_norm_cuda(x, weight_, bias_)) return group_norm_cuda(x, groups_, weight_, bias_, eps_, silu_);
  const at::ScalarType type = needs_float32_sums(x) ? at::kFloat : x.scalar_type();
  const at::Tensor y = at::group_norm(x.to(type), groups_, weight_.to(type), bias_.to(type), eps_).to(x.scalar_type());
  return silu_ ? at::silu(y) : y;
}

at::Tensor GroupNormImpl::channels_last(at::TensorList maps) const {
  std::vector<at::Tensor> parts;
  std::int64_t channels = 0;
  for (const at::Tensor& part : maps) {
    check<ShapeError>(
        part.dim() == 4 && part.size(0) == maps[0].size(0) && part.sizes().slice(2) == maps[0].sizes().slice(2),
        "group norm of maps [{}] beside [{}]", fmt::join(part.sizes(), ", "), fmt::join(maps[0].sizes(), ", "));
    channels += part.size(1);
    parts.push_back(pixels_NhwC(part));
  }
  check<ShapeError>(channels == channels_, "group norm of {} channels: expected {}", channels, channels_);
  const at::Tensor& first = parts.front();
  const at::Tensor out = new_activation({first.size(0), first.size(1), first.size(2), channels_});
  if (out.numel() == 0) return maps_NChw(out);
  const Affine affine =
      GroupMoments(parts, channels_).affine(groups_, eps_, weight_.data_ptr<float>(), bias_.data_ptr<float>());
  for_each_chunk(first.size(0), first.size(1) * first.size(2), [&](std::int64_t, const Chunk& chunk) {
    std::int64_t channel = 0;
    for (const at::Tensor& part : parts) {
      const std::int64_t at = chunk.image * channels_ + channel;
      kernels().scale_shift(chunk.of(part), chunk.count, part.size(3), affine.scale_NC.data_ptr<float>() + at,
                            affine.shift_NC.data_ptr<float>() + at, silu_, const_cast<float*>(chunk.of(out)) + channel,
                            channels_);
      channel += part.size(3);
    }
  });
  return maps_NChw(out);
}

}  // namespace domainfusion
