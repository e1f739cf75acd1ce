#include "domainfusion/nn/layers/group_norm_gradient.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/kernels/kernels.h"

namespace domainfusion {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// What both passes know of the maps: [N, groups, channels of a group, pixels].
struct Layout {
  Layout(const at::Tensor& x, std::int64_t group_count)
      : images(x.size(0)),
        groups(group_count),
        size(x.size(1) / group_count),
        pixels(x.numel() / (x.size(0) * x.size(1))) {}
  std::int64_t images, groups, size, pixels;
  std::int64_t channels() const { return groups * size; }
};

// Calls work(index of the group among all, its first channel, offset of its first value) on all threads.
template <class Work>
void for_each_group(const Layout& layout, const Work& work) {
  at::parallel_for(0, layout.images * layout.groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      work(i, i % layout.groups * layout.size, i * layout.size * layout.pixels);
  });
}

// u = x scale + shift of channel c.
struct ChannelAffine {
  ChannelAffine(float mean, float inverse, float weight, float bias)
      : scale(inverse * weight), shift(bias - mean * inverse * weight) {}
  float scale, shift;
};

at::Tensor forward_pass(const at::Tensor& x, const Layout& layout, const at::Tensor& weight, const at::Tensor& bias,
                        double eps, bool silu, float* mean, float* inverse) {
  const at::Tensor y = at::empty_like(x);
  const float *in = x.data_ptr<float>(), *w = weight.data_ptr<float>(), *b = bias.data_ptr<float>();
  const std::int64_t values = layout.size * layout.pixels;
  for_each_group(layout, [&](std::int64_t i, std::int64_t channel, std::int64_t offset) {
    double sum = 0, square = 0, unused = 0;
    kernels().row_moments(in + offset, values, 0, &sum, &unused);
    mean[i] = static_cast<float>(sum / static_cast<double>(values));
    kernels().row_moments(in + offset, values, mean[i], &unused, &square);
    inverse[i] = static_cast<float>(1.0 / std::sqrt(square / static_cast<double>(values) + eps));
    for (std::int64_t c = 0; c < layout.size; ++c) {
      const ChannelAffine u(mean[i], inverse[i], w[channel + c], b[channel + c]);
      const std::int64_t at = offset + c * layout.pixels;
      kernels().affine_row(in + at, layout.pixels, u.scale, u.shift, silu, y.data_ptr<float>() + at);
    }
  });
  return y;
}

struct Gradients {
  at::Tensor x, weight_NC, bias_NC;
};

// With h = g w and x^ = (x - mean) inverse:  dx = inverse (h - mean(h) - x^ mean(h x^)),  dw = sum g x^,  db = sum g.
Gradients backward_pass(const at::Tensor& x, const at::Tensor& gradient, const Layout& layout, const at::Tensor& weight,
                        const at::Tensor& bias, bool silu, const float* mean, const float* inverse) {
  const std::vector<std::int64_t> per_channel{layout.images, layout.channels()};
  Gradients result{at::empty_like(x), at::empty(per_channel, x.options()), at::empty(per_channel, x.options())};
  const float *in = x.data_ptr<float>(), *dy = gradient.data_ptr<float>();
  const float *w = weight.data_ptr<float>(), *b = bias.data_ptr<float>();
  for_each_group(layout, [&](std::int64_t i, std::int64_t channel, std::int64_t offset) {
    const std::int64_t image = i / layout.groups;
    float* dx = result.x.data_ptr<float>() + offset;
    double mean_h = 0, mean_hx = 0;
    for (std::int64_t c = 0; c < layout.size; ++c) {
      const ChannelAffine u(mean[i], inverse[i], w[channel + c], b[channel + c]);
      const std::int64_t at = c * layout.pixels, out = image * layout.channels() + channel + c;
      double sum_g = 0, sum_gx = 0;
      kernels().activation_gradient_row(in + offset + at, dy + offset + at, layout.pixels, u.scale, u.shift, silu,
                                        dx + at, &sum_g, &sum_gx);
      const double sum_normed = (sum_gx - sum_g * mean[i]) * inverse[i];
      result.weight_NC.data_ptr<float>()[out] = static_cast<float>(sum_normed);
      result.bias_NC.data_ptr<float>()[out] = static_cast<float>(sum_g);
      mean_h += sum_g * w[channel + c];
      mean_hx += sum_normed * w[channel + c];
    }
    mean_h /= static_cast<double>(layout.size * layout.pixels);
    mean_hx /= static_cast<double>(layout.size * layout.pixels);
    const double from_x = -mean_hx * inverse[i] * inverse[i], constant = -mean_h * inverse[i] - from_x * mean[i];
    for (std::int64_t c = 0; c < layout.size; ++c) {
      float* row = dx + c * layout.pixels;
      kernels().combine_row(row, in + offset + c * layout.pixels, layout.pixels, inverse[i] * w[channel + c],
                            static_cast<float>(from_x), static_cast<float>(constant), row);
    }
  });
  return result;
}

struct GroupNormFunction : torch::autograd::Function<GroupNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_NChw, const at::Tensor& weight,
                            const at::Tensor& bias, std::int64_t groups, double eps, bool silu) {
    const at::Tensor x = x_NChw.contiguous();
    const Layout layout(x, groups);
    const at::Tensor moments = at::empty({2, layout.images * groups}, x.options());
    float* mean = moments.data_ptr<float>();
    const at::Tensor y = forward_pass(x, layout, weight, bias, eps, silu, mean, mean + moments.size(1));
    context->save_for_backward({x, weight, bias, moments});
    context->saved_data["groups"] = groups;
    context->saved_data["silu"] = silu;
    return y;
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    check<Error>(!at::GradMode::is_enabled(),
                 "group norm has no second derivative here; compute it under PlainOperations");
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &moments = saved[3];
    const float* mean = moments.data_ptr<float>();
    const Gradients result =
        backward_pass(x, gradients[0].contiguous(), Layout(x, context->saved_data["groups"].toInt()), saved[1],
                      saved[2], context->saved_data["silu"].toBool(), mean, mean + moments.size(1));
    return {result.x, result.weight_NC.sum(0), result.bias_NC.sum(0), {}, {}, {}};
  }
};

}  // namespace

at::Tensor group_norm_with_gradient(const at::Tensor& x_NChw, std::int64_t groups, const at::Tensor& weight,
                                    const at::Tensor& bias, double eps, bool silu) {
  return GroupNormFunction::apply(x_NChw, weight, bias, groups, eps, silu);
}

}  // namespace domainfusion
