#pragma once
// Ways to give images part of other images' style without splitting them for good.
//
// MixStyle and EFDMix work on feature maps, pixels and latents alike; differentiable, new tensors. x_NCHW, style_NCHW:
// floating point of one shape (else ShapeError), image i takes its style from image i; own_share_N: lambda, the share
// of x's own style, one number an image, on the device of x.

#include <ATen/core/Tensor.h>

#include "domainfusion/core/random/random.h"

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

// The images with their own phase and the amplitude (1 - m) own + m style of the Fourier split (fourier.h), each style
// that of a drawn one of the M style images and m ~ U(0, max_share): the amplitude mix of FACT (Xu et al., CVPR 2021).
// image01_N3HW, style01_M3HW: float32 pixels in [0, 1], and so is the result, on the device of the images; without
// gradient. ShapeError if the sizes differ.
at::Tensor mix_spectra(const at::Tensor& image01_N3HW, const at::Tensor& style01_M3HW, double max_share,
                       RandomStream stream);

}  // namespace domainfusion
