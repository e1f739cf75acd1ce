#pragma once
// Two-dimensional convolution over feature maps that may come in several parts.

#include <torch/nn/pimpl.h>

#include "domainfusion/nn/layers/packed_layer.h"

namespace domainfusion {

struct Conv2dOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t kernel = 3;         // square
  std::int64_t padding = 0;        // zeros on each side
  std::int64_t padding_after = 0;  // further zeros to the right and below
  std::int64_t stride = 1;
};

Conv2dOptions one_by_one(std::int64_t in_channels, std::int64_t out_channels);
Conv2dOptions three_by_three(std::int64_t in_channels, std::int64_t out_channels);  // keeps the size

// What surrounds a convolution in these networks, done in the same pass over memory where the kernels compute.
struct Conv2dExtras {
  at::Tensor per_image_NC = {};        // added to all pixels of an image; or undefined
  at::Tensor residual_NChw = {};       // added to the result; or undefined
  std::int64_t height = 0, width = 0;  // nearest-neighbour enlargement of the input before the convolution; 0: none
};

// State-dict names: weight [out, in, kernel, kernel], bias [out]; not initialised.
class Conv2dImpl : public PackedLayer {
 public:
  explicit Conv2dImpl(const Conv2dOptions& options);
  // Several maps [N, C_i, h, w] stand for their concatenation along the channels. Returns [N, out, h', w'], channels
  // last in memory where the kernels compute.
  at::Tensor forward(at::TensorList maps, const Conv2dExtras& extras = {});

 private:
  at::Tensor to_matrix_NSC(const at::Tensor& weight) const override;
  at::Tensor from_matrix(const at::Tensor& matrix_NSC) const override;
  at::Tensor plain(at::TensorList maps, const Conv2dExtras& extras);
  at::Tensor packed(at::TensorList maps, const Conv2dExtras& extras);

  Conv2dOptions options_;
  bool winograd_;
};
TORCH_MODULE(Conv2d);

}  // namespace domainfusion
