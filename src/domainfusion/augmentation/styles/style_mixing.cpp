#include "domainfusion/augmentation/styles/style_mixing.h"

#include <ATen/ATen.h>

#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/augmentation/styles/tensor_checks.h"

namespace domainfusion {
namespace {

struct Statistics {
  at::Tensor mean, deviation;  // [N, C, 1, 1], without gradient
};

Statistics statistics_of(const at::Tensor& x_NCHW, double epsilon) {
  const at::Tensor x = x_NCHW.detach();
  return {x.mean({2, 3}, /*keepdim=*/true),
          (x.var(at::IntArrayRef{2, 3}, /*unbiased=*/true, /*keepdim=*/true) + epsilon).sqrt()};
}

at::Tensor per_image(const at::Tensor& share_N, const at::Tensor& x_NCHW) {
  check<ShapeError>(share_N.dim() == 1 && share_N.size(0) == x_NCHW.size(0), "shares of shape {} for {} images",
                    shape_text(share_N), x_NCHW.size(0));
  return share_N.to(x_NCHW.scalar_type()).view({-1, 1, 1, 1});
}

// Ascending along the last dimension, and which value stands where; equal values keep their order.
std::tuple<at::Tensor, at::Tensor> sorted(const at::Tensor& rows) {
  return at::sort(rows, /*stable=*/true, /*dim=*/-1, /*descending=*/false);
}

void check_pair(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW, std::string_view subject) {
  check_values(x_NCHW, subject);
  check_same_shape(x_NCHW, style_NCHW, subject);
}

}  // namespace

at::Tensor mix_statistics(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW, const at::Tensor& own_share_N,
                          double epsilon) {
  check_pair(x_NCHW, style_NCHW, "MixStyle");
  check<ShapeError>(x_NCHW.size(2) * x_NCHW.size(3) >= 2,
                    "MixStyle got maps of 1 x 1: one value has no deviation, expected at least two");
  const at::Tensor own = per_image(own_share_N, x_NCHW);
  const Statistics x = statistics_of(x_NCHW, epsilon), style = statistics_of(style_NCHW, epsilon);
  const at::Tensor mean = x.mean * own + style.mean * (1 - own);
  const at::Tensor deviation = x.deviation * own + style.deviation * (1 - own);
  return (x_NCHW - x.mean) / x.deviation * deviation + mean;
}

at::Tensor match_distribution(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW, const at::Tensor& own_share_N) {
  check_pair(x_NCHW, style_NCHW, "EFDMix");
  const at::Tensor own = per_image(own_share_N, x_NCHW);
  const at::Tensor x = x_NCHW.detach().flatten(2);
  const at::Tensor place_of_rank = std::get<1>(sorted(x));
  const at::Tensor style_of_rank = std::get<0>(sorted(style_NCHW.flatten(2)));
  const at::Tensor matched = at::zeros_like(x).scatter(-1, place_of_rank, style_of_rank).view(x_NCHW.sizes());
  return x_NCHW + (matched - x_NCHW.detach()) * (1 - own);
}

at::Tensor mix_spectra(const at::Tensor& image01_N3HW, const at::Tensor& style01_M3HW, double max_share,
                       RandomStream stream) {
  const c10::NoGradGuard no_grad;
  std::vector<std::int64_t> style_of;
  std::vector<float> share;
  for (std::int64_t image = 0; image < image01_N3HW.size(0); ++image) {
    style_of.push_back(static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(style01_M3HW.size(0)))));
    share.push_back(static_cast<float>(stream.uniform(0, max_share)));
  }
  const at::Device device = image01_N3HW.device();
  const at::Tensor styles = style01_M3HW.index_select(0, at::tensor(style_of).to(style01_M3HW.device())).to(device);
  const at::Tensor share_N111 = at::tensor(share).view({-1, 1, 1, 1}).to(device);
  const StyleContent own = fourier_spectrum(image01_N3HW), other = fourier_spectrum(styles);
  check_same_shape(own.style, other.style, "an exchange of styles");
  return image_from_spectrum(own.style + (other.style - own.style) * share_N111, own.content).clamp(0, 1);
}

}  // namespace domainfusion
