#include "domainfusion/training/algorithms/mixing/efdmix.h"

#include "domainfusion/augmentation/styles/style_mixing.h"

namespace domainfusion {

at::Tensor EfdMix::mixed(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW, const at::Tensor& own_share_N) const {
  return match_distribution(x_NCHW, style_NCHW, own_share_N);
}

}  // namespace domainfusion
