#include "domainfusion/augmentation/generation_time.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>

namespace domainfusion {
namespace {

constexpr std::int64_t kTimedElements = 1
                                        << 14;  // of latents in a pass: small images come in batches, which are faster
constexpr std::int64_t kTimedImages = 8;

}  // namespace

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
  const std::int64_t images =
      std::clamp<std::int64_t>(kTimedElements / (shape[0] * shape[1] * shape[2]), 1, kTimedImages);
  shape.insert(shape.begin(), images);
  const at::Tensor z = at::zeros(shape), t = at::full({images}, 500, at::kLong);
  const at::Tensor condition = model.embed({""}).repeat({images, 1, 1});
  const auto count = static_cast<double>(images);
  // Reading a value back waits for a GPU.
  return {seconds_of([&] { model.predict(z, t, condition).flatten()[0].item<double>(); }) / count,
          seconds_of([&] { model.decode(z).flatten()[0].item<double>(); }) / count};
}

}  // namespace domainfusion
