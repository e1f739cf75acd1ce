#include "domainfusion/training/algorithms/mixing/mode_f.h"

#include "domainfusion/augmentation/styles/fourier.h"

namespace domainfusion {

StyleContent ModeF::split(const at::Tensor& image_NCHW) const { return fourier_spectrum(image_NCHW); }

at::Tensor ModeF::joined(const StyleContent& parts) const { return image_from_spectrum(parts.style, parts.content); }

at::Tensor ModeF::style_index(const Batch& raw, RandomStream stream) const {
  return random_styles(raw.size(), config().num_mix, std::move(stream));
}

}  // namespace domainfusion
