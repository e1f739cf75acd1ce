#pragma once
// MixStyle (Zhou et al., Domain Generalization with MixStyle, ICLR 2021): cross-entropy with mixed channel statistics
// of feature maps; the formula is mix_statistics() in augmentation/style_mixing.h.

#include "domainfusion/training/algorithms/mixing/feature_mixing.h"

namespace domainfusion {

class MixStyle final : public FeatureMixing {
 public:
  MixStyle() : FeatureMixing("mixstyle") {}

 protected:
  at::Tensor mixed(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW,
                   const at::Tensor& own_share_N) const override;
};

}  // namespace domainfusion
