#include "domainfusion/augmentation/styles/style_search.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/augmentation/styles/tensor_checks.h"

namespace domainfusion {
namespace {

constexpr double kWeightEpsilon = 1e-6;

}  // namespace

void StyleSearchConfig::describe(ConfigFields& fields) {
  fields.integer("move_steps", move_steps, {0, 1000}, "MODE: steps of sign ascent on the styles' weights");
  fields.real("move_rate", move_rate, {0, 1}, "MODE: how far a weight moves in a step");
}

at::Tensor normalised_style_weights(const at::Tensor& a_NK) {
  return a_NK / (a_NK.sum(1, /*keepdim=*/true) + kWeightEpsilon);
}

at::Tensor moved_style_weights(const at::Tensor& a_NK, const at::Tensor& gradient_NK, double rate) {
  const double even = 1 / static_cast<double>(a_NK.size(1));
  return ((a_NK + rate * gradient_NK.sign() - even).clamp(-1, 1) + even).clamp(0, 1);
}

at::Tensor mixed_styles(const at::Tensor& style_M, const at::Tensor& index_NK, const at::Tensor& weight_NK) {
  check_same_shape(index_NK, weight_NK, "a mixture of styles");
  // One product of [N, M] weights: the styles themselves are not copied K times.
  const at::Tensor shares = at::zeros({index_NK.size(0), style_M.size(0)}, weight_NK.options());
  const at::Tensor mixed = shares.scatter_add(1, index_NK, weight_NK).matmul(style_M.flatten(1));
  std::vector<std::int64_t> shape = style_M.sizes().vec();
  shape[0] = index_NK.size(0);
  return mixed.view(shape);
}

StyleSearch search_style_weights(std::int64_t images, std::int64_t styles, const at::TensorOptions& options,
                                 const StyleSearchConfig& config, const StyleLoss& loss) {
  const c10::AutoGradMode gradients(true);
  StyleSearch search{torch::full({images, styles}, 1 / static_cast<double>(styles), options)};
  for (std::int64_t step = 0; step < config.move_steps; ++step) {
    const at::Tensor a = search.a_NK.detach().requires_grad_();
    const at::Tensor value = loss(normalised_style_weights(a));
    search.last_loss = value.item<double>();
    if (step == 0) search.first_loss = search.last_loss;
    check(std::isfinite(search.last_loss),
          "the loss in step {} of the search for styles is {}: is the classifier finite?", step, search.last_loss);
    const at::Tensor gradient = torch::autograd::grad({value}, {a})[0];
    search.a_NK = moved_style_weights(a.detach(), gradient, config.move_rate);
  }
  return search;
}

}  // namespace domainfusion
