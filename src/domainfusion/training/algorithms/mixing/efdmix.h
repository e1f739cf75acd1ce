#pragma once
// EFDMix (Zhang et al., Exact Feature Distribution Matching for Arbitrary Style Transfer and Domain Generalization,
// CVPR 2022): cross-entropy with feature maps whose values move towards another image's of the same rank; the formula
// is match_distribution() in augmentation/style_mixing.h.

#include "domainfusion/training/algorithms/mixing/feature_mixing.h"

namespace domainfusion {

class EfdMix final : public FeatureMixing {
 public:
  EfdMix() : FeatureMixing("efdmix") {}

 protected:
  at::Tensor mixed(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW,
                   const at::Tensor& own_share_N) const override;
};

}  // namespace domainfusion
