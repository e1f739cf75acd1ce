#pragma once
// The search of MODE (moderately distributional exploration): by how much each of K styles should enter an image's own,
// so that a classifier finds the image harder.
//
// Each image has weights a in R^K, 1/K at first; its style is sum_k w_k style_k with w = a / (sum a + 1e-6). In each of
// `move_steps` steps they follow the sign of the loss's gradient:
//   a <- clamp_[0,1](1/K + clamp_[-1,1](a + move_rate sign(d loss / d a) - 1/K)).

#include <ATen/core/Tensor.h>

#include <functional>

#include "domainfusion/config/config_fields.h"

namespace domainfusion {

struct StyleSearchConfig {
  std::int64_t move_steps = 10;
  double move_rate = 0.05;
  void describe(ConfigFields& fields);
};

// w of a_NK >= 0; differentiable.
at::Tensor normalised_style_weights(const at::Tensor& a_NK);

// One step of the ascent; gradient_NK: of a loss with respect to a.
at::Tensor moved_style_weights(const at::Tensor& a_NK, const at::Tensor& gradient_NK, double rate);

// sum_k weight_NK[i][k] style[index_NK[i][k]] -> [N, …]. style: [M, …] floating; index_NK: int64 in 0 … M-1; weight_NK:
// of the style's dtype. Differentiable in the weights. ShapeError unless index and weights have one shape.
at::Tensor mixed_styles(const at::Tensor& style_M, const at::Tensor& index_NK, const at::Tensor& weight_NK);

// The loss of images whose styles are mixed by weight_NK (normalised, with a graph): a scalar in which every image
// counts by itself, for instance the mean over them.
using StyleLoss = std::function<at::Tensor(const at::Tensor& weight_NK)>;

struct StyleSearch {
  at::Tensor a_NK;                       // not normalised, without graph, on the options' device
  double first_loss = 0, last_loss = 0;  // before the first and before the last step; 0 if there is none
};

// Gradients are taken of the weights alone: those of a network's parameters stay as they are. Works with gradients
// switched off outside. Error if the loss is not finite.
StyleSearch search_style_weights(std::int64_t images, std::int64_t styles, const at::TensorOptions& options,
                                 const StyleSearchConfig& config, const StyleLoss& loss);

}  // namespace domainfusion
