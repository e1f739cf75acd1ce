#include "domainfusion/augmentation/rounds/image_drift.h"

#include <ATen/ATen.h>

#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/augmentation/styles/tensor_checks.h"

namespace domainfusion {

namespace {

at::Tensor as_double_N3SS(const at::Tensor& image01) {
  const at::Tensor image = image01.to(at::kCPU, at::kDouble);
  return image.dim() == 3 ? image.unsqueeze(0) : image;
}

}  // namespace

ImageDrift image_drift(const at::Tensor& image01, const at::Tensor& x01, const at::Tensor& raw01) {
  const at::Tensor image = as_double_N3SS(image01), x = as_double_N3SS(x01), raw = as_double_N3SS(raw01);
  check_same_shape(image, raw, "the drift between images");
  const FourierDecomposition fourier(DecompositionConfig{});
  const StyleContent of_x = fourier.decompose(x);
  const StyleContent of_image = fourier.decompose(image);
  return {-fourier.style_similarity(of_x, of_image, SimilarityForm::kL2).item<double>(),
          fourier.content_similarity(of_x, of_image, SimilarityForm::kCosine).item<double>(),
          (image - raw).square().mean().sqrt().item<double>()};
}

}  // namespace domainfusion
