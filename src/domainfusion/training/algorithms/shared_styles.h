#pragma once
// Few generated images as styles of all source images (ours): where a run's budget is a few percent, its synthetic
// images are too few to be learnt from as images, but each is a style that any image can take.
//
// The split is the Fourier one of MODE-F, on normalised images; the share of the new style is drawn for each image, as
// for the amplitude mix of FACT (Xu et al., CVPR 2021).

#include "domainfusion/core/random.h"
#include "domainfusion/data/batch.h"

namespace domainfusion {

struct SharedStylesConfig {
  // Whose styles: those of the images that rounds made, or, as a control, of other source images.
  enum class From { kNone, kSynthetic, kRaw };
  From from = From::kNone;
  double max_share = 1;

  void describe(ConfigFields& fields);
};

// The images of `content` with their own phase and the amplitude (1 - m) own + m style, m ~ U(0, max_share), each style
// that of a drawn one of the normalised images [M, 3, S, S]; not clamped. Labels and places are those of `content`.
// On the device of `content`; without gradient. ShapeError if the images' sizes differ.
Batch with_styles(const Batch& content, const at::Tensor& style_image_MCHW, double max_share, RandomStream stream);

}  // namespace domainfusion
