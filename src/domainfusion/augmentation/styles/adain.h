#pragma once
// AdaIN split of VAE latents: per-channel mean and standard deviation are style, the normalised map content (Huang and
// Belongie, ICCV 2017, equation 8; MODE-A, here on the LDM's own latents, so that no further network is needed).

#include "domainfusion/augmentation/styles/style_content.h"

namespace domainfusion {

// style [N, 2, C]: mean and sqrt(variance + 1e-5) over H, W, of the population or, as MODE-A has it, unbiased; content
// [N, C, H, W]: (z - mean) / deviation. Differentiable, as apply_adain.
StyleContent adain_statistics(const at::Tensor& z_NChw, bool unbiased = false);

// content * deviation + mean.
at::Tensor apply_adain(const at::Tensor& content_NChw, const at::Tensor& style_N2C);

// Similarities. Style, cosine: cosine of [mean, log deviation], each entry standardised by its mean and population
// deviation over the N candidates (an entry that is equal in all candidates counts nothing; a candidate without any
// such entry gets 0); l2: minus the Euclidean distance of [mean, log deviation]. Content, cosine: mean product of the
// normalised maps; l2: minus their Euclidean distance.
class AdainDecomposition final : public Decomposition {
 public:
  explicit AdainDecomposition(DecompositionConfig config) : config_(config) {}
  Space space() const override { return Space::kLatents; }
  StyleContent decompose(const at::Tensor& values_NCHW) const override;
  at::Tensor style_similarity(const StyleContent& x, const StyleContent& candidates,
                              SimilarityForm form) const override;
  at::Tensor content_similarity(const StyleContent& x, const StyleContent& candidates,
                                SimilarityForm form) const override;
  // The statistics are mixed: (1 - mix) style of x + mix style.
  at::Tensor fused(const StyleContent& x, const StyleContent& style, const StyleContent& content) const override;

 private:
  DecompositionConfig config_;
};

}  // namespace domainfusion
