#pragma once
// The two ways of MixStyle and EFDMix to give a map part of another map's style. Both work on feature maps, pixels and
// latents alike; differentiable, new tensors.
//
// x_NCHW, style_NCHW: floating point of one shape (else ShapeError), image i takes its style from image i; own_share_N:
// lambda, the share of x's own style, one number an image, on the device of x.

#include <ATen/core/Tensor.h>

namespace domainfusion {

// MixStyle (Zhou et al., ICLR 2021, equations 3 to 6): per image and channel, with mean mu and deviation
// sigma = sqrt(unbiased variance + epsilon) over H and W, both without gradient as in the released code,
//   (x - mu_x) / sigma_x * (lambda sigma_x + (1 - lambda) sigma_style) + lambda mu_x + (1 - lambda) mu_style.
// ShapeError for maps of one value, which have no variance.
at::Tensor mix_statistics(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW, const at::Tensor& own_share_N,
                          double epsilon = 1e-6);

// EFDMix (Zhang et al., CVPR 2022, equation 9): the value of rank k in a channel of x moves towards the value of rank k
// in the same channel of `style`,
//   x + (1 - lambda) (style[rank of x] - stop_gradient(x)).
// Equal values of x are ranked in row-major order. As in the released code, the style's values keep their gradient.
at::Tensor match_distribution(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW, const at::Tensor& own_share_N);

}  // namespace domainfusion
