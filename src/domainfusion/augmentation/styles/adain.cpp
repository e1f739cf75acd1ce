#include "domainfusion/augmentation/styles/adain.h"

#include <ATen/ATen.h>

#include "domainfusion/augmentation/styles/tensor_checks.h"

namespace domainfusion {

namespace {

constexpr double kVarianceEpsilon = 1e-5;
constexpr double kSmallestDeviation = 1e-8;  // below it an entry is the same in all candidates

// [N, 2C]: means, then logarithms of the deviations.
at::Tensor style_rows(const at::Tensor& style_N2C) {
  return at::cat({style_N2C.select(1, 0), style_N2C.select(1, 1).log()}, 1);
}

}  // namespace

StyleContent adain_statistics(const at::Tensor& z_NChw, bool unbiased) {
  check_values(z_NChw, "the AdaIN decomposition");
  const at::Tensor mean = z_NChw.mean({2, 3});
  const at::Tensor deviation = (z_NChw.var(at::IntArrayRef{2, 3}, unbiased) + kVarianceEpsilon).sqrt();
  const at::Tensor content = (z_NChw - mean.unsqueeze(-1).unsqueeze(-1)) / deviation.unsqueeze(-1).unsqueeze(-1);
  return {at::stack({mean, deviation}, 1), content};
}

at::Tensor apply_adain(const at::Tensor& content_NChw, const at::Tensor& style_N2C) {
  check<ShapeError>(style_N2C.dim() == 3 && content_NChw.dim() == 4 && style_N2C.size(0) == content_NChw.size(0) &&
                        style_N2C.size(2) == content_NChw.size(1),
                    "AdaIN got content {} and style {}, expected NxCxHxW and Nx2xC", shape_text(content_NChw),
                    shape_text(style_N2C));
  const at::Tensor style = style_N2C.unsqueeze(-1).unsqueeze(-1);
  return content_NChw * style.select(1, 1) + style.select(1, 0);
}

StyleContent AdainDecomposition::decompose(const at::Tensor& values_NCHW) const {
  return adain_statistics(values_NCHW);
}

at::Tensor AdainDecomposition::style_similarity(const StyleContent& x, const StyleContent& candidates,
                                                SimilarityForm form) const {
  check_comparable(x.style, candidates.style, "the AdaIN decomposition");
  const at::Tensor a = style_rows(x.style);
  const at::Tensor b = style_rows(candidates.style);
  if (form == SimilarityForm::kL2) return -(a - b).norm(2, 1);
  const at::Tensor mean = b.mean(0, /*keepdim=*/true);
  const at::Tensor deviation = b.std(at::IntArrayRef{0}, /*unbiased=*/false, /*keepdim=*/true);
  const at::Tensor scale = at::where(deviation > kSmallestDeviation, 1 / deviation, at::zeros_like(deviation));
  const at::Tensor a_scaled = (a - mean) * scale;
  const at::Tensor b_scaled = (b - mean) * scale;
  return (a_scaled * b_scaled).sum(1) / (a_scaled.norm(2, 1) * b_scaled.norm(2, 1)).clamp_min(1e-12);
}

at::Tensor AdainDecomposition::content_similarity(const StyleContent& x, const StyleContent& candidates,
                                                  SimilarityForm form) const {
  check_comparable(x.content, candidates.content, "the AdaIN decomposition");
  if (form == SimilarityForm::kL2) return -(candidates.content - x.content).flatten(1).norm(2, 1);
  return (candidates.content * x.content).flatten(1).mean(1);
}

at::Tensor AdainDecomposition::fused(const StyleContent& x, const StyleContent& style,
                                     const StyleContent& content) const {
  check_same_shape(x.style, style.style, "the AdaIN decomposition");
  return apply_adain(content.content, x.style * (1 - config_.mix) + style.style * config_.mix);
}

}  // namespace domainfusion
