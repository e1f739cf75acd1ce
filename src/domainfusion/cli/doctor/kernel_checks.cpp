#include "domainfusion/cli/doctor/kernel_checks.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <functional>

#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/nn/kernels/blocked_attention.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/layers/conv_2d.h"
#include "domainfusion/nn/layers/linear.h"

namespace domainfusion {
namespace {

constexpr double kTolerance = 1e-4;  // of the rms; float32 sums of a few hundred products stay below a tenth of it

at::Tensor drawn(std::uint64_t id, at::IntArrayRef shape) {
  RandomStream stream(0, "doctor", {id});
  return normal_tensor(stream, shape);
}

// What a kernel gave, and what plain operations give in double precision.
Finding compared(const std::string& subject, const at::Tensor& ours, const at::Tensor& plain) {
  const at::Tensor difference = (ours.to(at::kDouble) - plain).abs().max() / plain.square().mean().sqrt();
  const double deviation = difference.item<double>();
  Finding finding{subject, Severity::kGood, fmt::format("within {:.1e} of libtorch's own, in float64", deviation), ""};
  if (!(deviation < kTolerance)) {
    finding.severity = Severity::kFault;
    finding.text = fmt::format("off by {:.1e} of the rms", deviation);
    finding.remedy = fmt::format(
        "this processor computes wrong with the {} kernels: DOMAINFUSION_KERNELS=portable goes without them; "
        "please report it with the output of --json",
        kernels().instruction_set);
  }
  return finding;
}

Finding check_product() {
  const at::Tensor x = drawn(0, {37, 200}), weight = drawn(1, {75, 200});
  Linear layer(200, 75, /*bias=*/false);
  layer->named_parameters()["weight"].copy_(weight);
  layer->eval();
  return compared("kernel of products", layer->forward(x), x.to(at::kDouble).matmul(weight.t().to(at::kDouble)));
}

Finding check_convolution() {
  const at::Tensor x = drawn(2, {2, 24, 18, 22}), weight = drawn(3, {40, 24, 3, 3}), bias = drawn(4, {40});
  Conv2d layer(three_by_three(24, 40));
  layer->named_parameters()["weight"].copy_(weight);
  layer->named_parameters()["bias"].copy_(bias);
  layer->eval();
  return compared("kernel of convolutions", layer->forward({x}),
                  at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), 1, 1));
}

Finding check_attention() {
  const std::int64_t heads = 4, depth = 16;
  const at::Tensor q = drawn(5, {2, 90, 64}), k = drawn(6, {2, 77, 64}), v = drawn(7, {2, 77, 64});
  const auto split = [&](const at::Tensor& x) {
    return x.to(at::kDouble).reshape({x.size(0), x.size(1), heads, depth}).transpose(1, 2);
  };
  const at::Tensor scores = split(q).matmul(split(k).transpose(2, 3)) / 4.0;  // sqrt(depth)
  const at::Tensor plain = at::softmax(scores, 3).matmul(split(v)).transpose(1, 2).reshape({2, 90, 64});
  return compared("kernel of attention", blocked_attention(q, k, v, heads), plain);
}

}  // namespace

Findings check_kernels() {
  const at::NoGradGuard no_gradient;
  return {check_product(), check_convolution(), check_attention()};
}

}  // namespace domainfusion
