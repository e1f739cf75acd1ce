#pragma once
// Fourier split of pixels: the amplitude of each channel's 2-D spectrum is style, its phase content (MODE-F; FDA, Yang
// and Soatto, CVPR 2020, for the low-frequency window).

#include "domainfusion/augmentation/styles/style_content.h"

namespace domainfusion {

// |F| and arg F of each channel's unnormalised 2-D FFT (not shifted). image_NCHW: float32 or float64. Differentiable.
StyleContent fourier_spectrum(const at::Tensor& image_NCHW);

// Real part of the inverse FFT of amplitude * exp(i phase), both [N, C, H, W]; not clamped. Differentiable.
at::Tensor image_from_spectrum(const at::Tensor& amplitude_NCHW, const at::Tensor& phase_NCHW);

// [H, W] booleans in the FFT's own (not shifted) order: true inside the square of side 2 floor(min(H, W) window) + 1
// around the zero frequency, cut at the border of the spectrum.
at::Tensor low_frequency_window(std::int64_t height, std::int64_t width, double window);

// (1 - mix) amplitude + mix style_amplitude inside the window (everywhere if window is 0), amplitude outside.
at::Tensor mix_amplitudes(const at::Tensor& amplitude_NCHW, const at::Tensor& style_amplitude_NCHW, double mix,
                          double window);

// amplitude_NCHW with the local means of another: amplitude * smooth(of) / smooth(amplitude), where smooth() is the
// mean over the square of side 2 reach + 1 frequencies around each one (periodic), and the zero frequency, the image's
// mean, stands alone. What two images of different shape share of a style (contrast, sharpness, texture) is in that
// envelope; single amplitudes belong to a shape, and with another's phase they give noise (ours). reach: at least 1.
at::Tensor exchange_envelope(const at::Tensor& amplitude_NCHW, const at::Tensor& of_NCHW, std::int64_t reach);

// Similarities. Style, cosine: cosine of log(1 + amplitude) less its mean over the image; l2: minus the rms of the
// difference of log(1 + amplitude). Content, cosine: mean of cos(phase difference) weighted with the amplitude of x
// (any candidate is held to the same weights); l2: minus sqrt(mean(2 - 2 cos)), the rms distance of the unit phasors.
class FourierDecomposition final : public Decomposition {
 public:
  explicit FourierDecomposition(DecompositionConfig config) : config_(config) {}
  Space space() const override { return Space::kPixels; }
  StyleContent decompose(const at::Tensor& values_NCHW) const override;
  at::Tensor style_similarity(const StyleContent& x, const StyleContent& candidates,
                              SimilarityForm form) const override;
  at::Tensor content_similarity(const StyleContent& x, const StyleContent& candidates,
                                SimilarityForm form) const override;
  at::Tensor fused(const StyleContent& x, const StyleContent& style, const StyleContent& content) const override;

 private:
  DecompositionConfig config_;
};

}  // namespace domainfusion
