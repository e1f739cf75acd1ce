#include "domainfusion/training/planned_work.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>

namespace domainfusion {
namespace {

constexpr std::int64_t kTimedElements = 1 << 14;  // of latents in a pass: small images take several for their batch's speed
constexpr std::int64_t kTimedImages = 8;

template <class Action>
double seconds_of(Action action) {
  action();
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

PlannedWork& PlannedWork::operator+=(const PlannedWork& more) {
  generated_images += more.generated_images;
  unet_images += more.unet_images;
  vae_images += more.vae_images;
  classifier_images += more.classifier_images;
  stored_images += more.stored_images;
  return *this;
}

LdmTimes measure_ldm_times(const LatentDiffusion& ldm) {
  torch::NoGradGuard no_grad;
  std::vector<std::int64_t> shape = ldm.latent_shape();
  const std::int64_t elements = shape[0] * shape[1] * shape[2];
  const std::int64_t images = std::clamp<std::int64_t>(kTimedElements / elements, 1, kTimedImages);
  shape.insert(shape.begin(), images);
  const at::Tensor z = torch::zeros(shape), t = torch::full({images}, 500, torch::kInt64);
  const at::Tensor condition = ldm.embed({""}).repeat({images, 1, 1});
  // Reading a value back waits for a GPU.
  const auto done = [](const at::Tensor& values) { values.flatten()[0].item<double>(); };
  const double count = static_cast<double>(images);
  return {seconds_of([&] { done(ldm.predict(z, t, condition)); }) / count, seconds_of([&] { done(ldm.decode(z)); }) / count};
}

double ldm_seconds(const PlannedWork& work, const LdmTimes& times) {
  return work.unet_images * times.unet + work.vae_images * times.vae;
}

}  // namespace domainfusion
