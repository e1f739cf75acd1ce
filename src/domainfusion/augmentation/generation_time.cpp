#include "domainfusion/augmentation/generation_time.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <chrono>

namespace domainfusion {

double seconds_of(const std::function<void()>& action) {
  action();
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double GenerationTimes::image_seconds(const LatentDiffusion& model, const ImageToImageRequest& request) const {
  return static_cast<double>(unet_passes(model.scheduler_config(), request)) * unet_seconds + 2 * vae_seconds;
}

GenerationTimes measure_generation(const LatentDiffusion& model) {
  const c10::NoGradGuard no_grad;
  std::vector<std::int64_t> shape = model.latent_shape();
  shape.insert(shape.begin(), 1);
  const at::Tensor z = at::zeros(shape), t = at::full({1}, 500, at::kLong);
  const at::Tensor condition = model.embed({""});
  return {seconds_of([&] { model.predict(z, t, condition); }), seconds_of([&] { model.decode(z); })};
}

}  // namespace domainfusion
