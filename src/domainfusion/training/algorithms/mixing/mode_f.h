#pragma once
// MODE-F: style is the amplitude of the normalised image's spectrum, content its phase
// (augmentation/decompositions/fourier.h); no window of low frequencies, no clamping. Styles come from random images of
// the batch.

#include "domainfusion/training/algorithms/mixing/mode.h"

namespace domainfusion {

class ModeF final : public Mode {
 public:
  ModeF() : Mode("mode_f") {}

 protected:
  StyleContent split(const at::Tensor& image_NCHW) const override;
  at::Tensor joined(const StyleContent& parts) const override;
  at::Tensor style_index(const Batch& raw, RandomStream stream) const override;
};

}  // namespace domainfusion
