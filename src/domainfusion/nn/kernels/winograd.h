#pragma once
// 3x3 convolutions with 4/9 of the multiplications: F(2x2, 3x3) of Lavin and Gray 2016 (after Winograd 1980). A 4x4
// patch d of the input gives a 2x2 patch of the output, A^T [(G g G^T) * (B^T d B)] A; the products in the middle,
// summed over channels, are 16 matrix products. All factors are 0, +-1 and +-1/2, so float32 keeps its digits.

#include <ATen/core/Tensor.h>

#include "domainfusion/nn/kernels/packed_product.h"
#include "domainfusion/nn/kernels/padded_pixels.h"

namespace domainfusion {

// G g G^T of a weight [out, in, 3, 3], as a matrix for PackedMatrix: [out, 16, in].
at::Tensor winograd_weight(const at::Tensor& weight);
at::Tensor weight_of_winograd(const at::Tensor& matrix_NSC);  // its inverse, to rounding

// Stride 1, zero padding 1. Weights packed from winograd_weight(); target as in packed_product(), rows = output pixels.
void winograd_convolution(const PaddedPixels& pixels, const PackedMatrix& weights, const ProductTarget& target);

}  // namespace domainfusion
