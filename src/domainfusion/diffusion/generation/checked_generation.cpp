#include "domainfusion/diffusion/generation/checked_generation.h"

#include <torch/types.h>

namespace domainfusion {
namespace {

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

MixtureRequest part_of(const MixtureRequest& whole, const std::vector<std::int64_t>& indices) {
  MixtureRequest part = whole;
  part.mixtures.clear();
  part.noise_streams.clear();
  for (const std::int64_t i : indices) {
    part.mixtures.push_back(whole.mixtures.at(static_cast<std::size_t>(i)));
    part.noise_streams.push_back(whole.noise_streams.at(static_cast<std::size_t>(i)));
  }
  return part;
}

template <class Request, class Make>
CheckedValues checked(const LatentDiffusion& model, const Request& request, double range, Make make) {
  return check_and_retry(make(model, request), range, model.placement().dtype,
                         [&](const std::vector<std::int64_t>& indices) {
                           return make(model.computing_in(at::kFloat), part_of(request, indices));
                         });
}

}  // namespace

CheckedValues checked_image_to_image(const LatentDiffusion& model, const ImageToImageRequest& request) {
  return checked(model, request, kConstantPixels, image_to_image);
}

CheckedValues checked_image_to_image_latents(const LatentDiffusion& model, const ImageToImageRequest& request) {
  return checked(model, request, kConstantLatents, image_to_image_latents);
}

CheckedValues checked_mixed_images(const LatentDiffusion& model, const MixtureRequest& request) {
  return checked(model, request, kConstantPixels, mixed_images);
}

}  // namespace domainfusion
