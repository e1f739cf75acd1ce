#include "domainfusion/diffusion/checked_generation.h"

#include <torch/torch.h>

namespace domainfusion {
namespace {

at::ScalarType compute_type(const LatentDiffusion& model) { return model.unet()->parameters().front().scalar_type(); }

// The networks in float32 while it lives. Nothing is lost on the way there and back: float32 holds every number of the smaller
// types.
class InFloat32 {
 public:
  explicit InFloat32(const LatentDiffusion& model) : model_(model), type_(compute_type(model)) { convert(at::kFloat); }
  ~InFloat32() { convert(type_); }
  InFloat32(const InFloat32&) = delete;
  InFloat32& operator=(const InFloat32&) = delete;

 private:
  void convert(at::ScalarType type) const {
    model_.unet()->to(type);
    model_.vae()->to(type);
  }
  const LatentDiffusion& model_;
  at::ScalarType type_;
};

at::Tensor rows_of(const at::Tensor& tensor, const std::vector<std::int64_t>& indices) {
  return tensor.defined() ? tensor.index_select(0, at::tensor(indices).to(tensor.device())) : tensor;
}

ImageToImageRequest part_of(const ImageToImageRequest& whole, const std::vector<std::int64_t>& indices) {
  ImageToImageRequest part = whole;
  part.prompts.clear();
  part.inversion_prompts.clear();
  part.noise_streams.clear();
  for (const std::int64_t i : indices) {
    const auto place = static_cast<std::size_t>(i);
    part.prompts.push_back(whole.prompts.at(place));
    if (!whole.inversion_prompts.empty()) part.inversion_prompts.push_back(whole.inversion_prompts.at(place));
    if (!whole.noise_streams.empty()) part.noise_streams.push_back(whole.noise_streams.at(place));
  }
  for (at::Tensor* tensor : {&part.image01_N3HW, &part.z0_NChw, &part.noise_NChw, &part.posterior_noise_NChw}) {
    *tensor = rows_of(*tensor, indices);
  }
  return part;
}

template <class Make>
CheckedValues checked(const LatentDiffusion& model, const ImageToImageRequest& request, double range, Make make) {
  return check_and_retry(make(model, request), range, compute_type(model),
                         [&](const std::vector<std::int64_t>& indices) {
                           const InFloat32 in_float32(model);
                           return make(model, part_of(request, indices));
                         });
}

}  // namespace

CheckedValues checked_image_to_image(const LatentDiffusion& model, const ImageToImageRequest& request) {
  return checked(model, request, kConstantPixels, image_to_image);
}

CheckedValues checked_image_to_image_latents(const LatentDiffusion& model, const ImageToImageRequest& request) {
  return checked(model, request, kConstantLatents, image_to_image_latents);
}

}  // namespace domainfusion
