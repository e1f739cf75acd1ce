#include "domainfusion/distillation/latent_teacher.h"

#include <torch/torch.h>

#include "domainfusion/core/error.h"

namespace domainfusion {

at::Tensor plain_images(const ImageSource& source, const std::vector<ImageKey>& keys, std::int64_t size_px,
                        at::Device device) {
  std::vector<at::Tensor> images;
  for (const ImageKey& key : keys) {
    images.push_back(source(key));
    check<ShapeError>(images.back().sizes() == at::IntArrayRef({3, size_px, size_px}),
                      "image {} of domain {} has shape [{}]: the LDM expects [3, {}, {}]", key.index, key.domain,
                      fmt::join(images.back().sizes(), ", "), size_px, size_px);
  }
  return torch::stack(images).to(device);
}

}  // namespace domainfusion
