#include "domainfusion/training/algorithms/shared_styles.h"

#include <torch/torch.h>

#include "domainfusion/augmentation/decompositions/fourier.h"
#include "domainfusion/augmentation/tensor_checks.h"

namespace domainfusion {

void SharedStylesConfig::describe(ConfigFields& fields) {
  fields.choice(
      "shared_styles", from, {{"none", From::kNone}, {"synthetic", From::kSynthetic}, {"raw", From::kRaw}},
      "ours, for small budgets: the synthetic part of a batch is source images, each with part of the Fourier "
      "style of a drawn synthetic image; raw: of a drawn source image, the control without an LDM; none: the "
      "synthetic images themselves (the source)");
  fields.real("max_style_share", max_share, {0, 1},
              "with shared_styles: the share of the new style is drawn for each image, between 0 and this");
}

Batch with_styles(const Batch& content, const at::Tensor& style_image_MCHW, double max_share, RandomStream stream) {
  const c10::NoGradGuard no_grad;
  std::vector<std::int64_t> style_of;
  std::vector<float> share;
  for (std::int64_t image = 0; image < content.size(); ++image) {
    style_of.push_back(static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(style_image_MCHW.size(0)))));
    share.push_back(static_cast<float>(stream.uniform(0, max_share)));
  }
  const at::Device device = content.image_NCHW.device();
  const at::Tensor styles = style_image_MCHW.index_select(0, torch::tensor(style_of)).to(device);
  const at::Tensor share_N111 = torch::tensor(share).view({-1, 1, 1, 1}).to(device);
  const StyleContent own = fourier_spectrum(content.image_NCHW), other = fourier_spectrum(styles);
  check_same_shape(own.style, other.style, "an exchange of styles");
  Batch styled = content;
  styled.image_NCHW = image_from_spectrum(own.style + (other.style - own.style) * share_N111, own.content);
  return styled;
}

}  // namespace domainfusion
