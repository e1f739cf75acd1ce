#include "domainfusion/augmentation/styles/fourier.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/augmentation/styles/tensor_checks.h"

namespace domainfusion {

namespace {

at::Tensor log_amplitude_rows(const at::Tensor& amplitude_NCHW) { return amplitude_NCHW.log1p().flatten(1); }

at::Tensor cosine_of_rows(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor norms = a.norm(2, 1) * b.norm(2, 1);
  return (a * b).sum(1) / norms.clamp_min(1e-12);
}

// Means over squares of side 2 reach + 1 around each frequency; the zero frequency, the image's mean, stays alone.
at::Tensor smoothed(const at::Tensor& amplitude_NCHW, std::int64_t reach) {
  const at::Tensor zero = amplitude_NCHW.slice(2, 0, 1).slice(3, 0, 1);
  at::Tensor smooth = amplitude_NCHW.clone();
  smooth.slice(2, 0, 1).slice(3, 0, 1).zero_();
  for (const std::int64_t dim : {2, 3}) {
    at::Tensor sum = smooth.clone();
    for (std::int64_t shift = 1; shift <= reach; ++shift) sum += smooth.roll(shift, dim) + smooth.roll(-shift, dim);
    smooth = sum / static_cast<double>(2 * reach + 1);
  }
  smooth.slice(2, 0, 1).slice(3, 0, 1).copy_(zero);
  return smooth;
}

at::Tensor less_mean(const at::Tensor& rows) { return rows - rows.mean(1, /*keepdim=*/true); }

}  // namespace

StyleContent fourier_spectrum(const at::Tensor& image_NCHW) {
  check_values(image_NCHW, "the Fourier decomposition");
  const at::Tensor spectrum = at::fft_fft2(image_NCHW);
  return {spectrum.abs(), spectrum.angle()};
}

at::Tensor image_from_spectrum(const at::Tensor& amplitude_NCHW, const at::Tensor& phase_NCHW) {
  return at::real(at::fft_ifft2(at::polar(amplitude_NCHW, phase_NCHW))).contiguous();
}

at::Tensor low_frequency_window(std::int64_t height, std::int64_t width, double window) {
  const auto reach = static_cast<std::int64_t>(std::floor(static_cast<double>(std::min(height, width)) * window));
  const auto near_zero = [reach](std::int64_t size) {
    // Shifted, the zero frequency stands at size / 2; the square around it is cut at the border, as in the reference.
    const at::Tensor frequency = at::arange(size) - size / 2;
    return at::roll(frequency.abs() <= reach, {-(size / 2)}, {0});
  };
  return near_zero(height).unsqueeze(1).logical_and(near_zero(width).unsqueeze(0));
}

at::Tensor mix_amplitudes(const at::Tensor& amplitude_NCHW, const at::Tensor& style_amplitude_NCHW, double mix,
                          double window) {
  check_same_shape(amplitude_NCHW, style_amplitude_NCHW, "the Fourier decomposition");
  // Both weights written out: mix = 0 and mix = 1 return one of the two exactly.
  const at::Tensor mixed = amplitude_NCHW * (1 - mix) + style_amplitude_NCHW * mix;
  if (window == 0) return mixed;
  const at::Tensor inside = low_frequency_window(amplitude_NCHW.size(2), amplitude_NCHW.size(3), window);
  return at::where(inside.to(amplitude_NCHW.device()), mixed, amplitude_NCHW);
}

at::Tensor exchange_envelope(const at::Tensor& amplitude_NCHW, const at::Tensor& of_NCHW, std::int64_t reach) {
  check_same_shape(amplitude_NCHW, of_NCHW, "the Fourier decomposition");
  const std::int64_t most = (std::min(amplitude_NCHW.size(2), amplitude_NCHW.size(3)) - 1) / 2;
  reach = std::min(reach, most);
  return amplitude_NCHW * smoothed(of_NCHW, reach) / smoothed(amplitude_NCHW, reach).clamp_min(1e-12);
}

StyleContent FourierDecomposition::decompose(const at::Tensor& values_NCHW) const {
  return fourier_spectrum(values_NCHW);
}

at::Tensor FourierDecomposition::style_similarity(const StyleContent& x, const StyleContent& candidates,
                                                  SimilarityForm form) const {
  check_comparable(x.style, candidates.style, "the Fourier decomposition");
  const at::Tensor a = log_amplitude_rows(x.style);
  const at::Tensor b = log_amplitude_rows(candidates.style);
  if (form == SimilarityForm::kL2) return -(a - b).square().mean(1).sqrt();
  return cosine_of_rows(less_mean(a), less_mean(b));
}

at::Tensor FourierDecomposition::content_similarity(const StyleContent& x, const StyleContent& candidates,
                                                    SimilarityForm form) const {
  check_comparable(x.content, candidates.content, "the Fourier decomposition");
  const at::Tensor cosine = (candidates.content - x.content).cos().flatten(1);
  if (form == SimilarityForm::kL2) return -(2 - 2 * cosine).mean(1).clamp_min(0).sqrt();
  const at::Tensor weight = x.style.flatten(1);
  return (cosine * weight).sum(1) / weight.sum(1).clamp_min(1e-12);
}

at::Tensor FourierDecomposition::fused(const StyleContent& x, const StyleContent& style,
                                       const StyleContent& content) const {
  check_same_shape(x.style, content.content, "the Fourier decomposition");
  at::Tensor amplitude = mix_amplitudes(x.style, style.style, config_.mix, config_.window);
  if (config_.envelope > 0) amplitude = exchange_envelope(content.style, amplitude, config_.envelope);
  return image_from_spectrum(amplitude, content.content).clamp(0, 1);
}

}  // namespace domainfusion
