#include "domainfusion/distillation/ldm_functions.h"

#include <torch/types.h>

#include "domainfusion/core/error.h"

namespace domainfusion {

at::Tensor plain_images(const ImageSource& source, const std::vector<ImageKey>& keys, std::int64_t size_px,
                        at::Device device) {
  const at::Tensor images = source(keys);
  const auto count = static_cast<std::int64_t>(keys.size());
  check<ShapeError>(count > 0 && images.sizes() == at::IntArrayRef({count, 3, size_px, size_px}),
                    "{} images from image {} of domain {} on have the shape [{}]: the LDM expects [{}, 3, {}, {}]",
                    count, count > 0 ? keys[0].index : 0, count > 0 ? keys[0].domain : 0,
                    fmt::join(images.sizes(), ", "), count, size_px, size_px);
  return images.to(device);
}

}  // namespace domainfusion
