#include "domainfusion/augmentation/candidates/generation_time.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>

#include "domainfusion/core/machine/process_memory.h"
#include "domainfusion/nn/memory/activation_memory.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kTimedElements = 1
                                        << 14;  // of latents in a pass: small images come in batches, which are faster
constexpr std::int64_t kTimedImages = 8;

std::int64_t measured_images(const LatentDiffusion& model) {
  const std::vector<std::int64_t> shape = model.latent_shape();
  return std::clamp<std::int64_t>(kTimedElements / (shape[0] * shape[1] * shape[2]), 1, kTimedImages);
}

at::Tensor latents(const LatentDiffusion& model, std::int64_t images) {
  std::vector<std::int64_t> shape = model.latent_shape();
  shape.insert(shape.begin(), images);
  return at::zeros(shape);
}

// Both read a value back, which waits for a GPU.
void denoise(const LatentDiffusion& model, std::int64_t images) {
  const c10::NoGradGuard no_grad;
  const at::Tensor t = at::full({images}, 500, at::kLong);
  model.predict(latents(model, images), t, model.embed({""}).repeat({images, 1, 1})).flatten()[0].item<double>();
}

void decode(const LatentDiffusion& model, std::int64_t images) {
  const c10::NoGradGuard no_grad;
  model.decode(latents(model, images)).flatten()[0].item<double>();
}

double peak_of(const std::function<void()>& action) {
  release_activation_memory();
  reset_peak_resident();
  action();
  return peak_resident_mib();
}

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
  const std::int64_t images = measured_images(model);
  const auto count = static_cast<double>(images);
  return {seconds_of([&] { denoise(model, images); }) / count, seconds_of([&] { decode(model, images); }) / count};
}

GenerationMemory measure_generation_memory(const LatentDiffusion& model) {
  const std::int64_t more = measured_images(model);
  const auto of_one_more = [&](const auto& part) {
    part(model, 1);  // loads the weights
    const double one = peak_of([&] { part(model, 1); });
    return std::max(0.0, peak_of([&] { part(model, 1 + more); }) - one) / static_cast<double>(more);
  };
  return {of_one_more(denoise), of_one_more(decode)};
}

}  // namespace domainfusion
