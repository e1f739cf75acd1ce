#include "domainfusion/augmentation/rounds/ldm_candidates.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/generation/checked_generation.h"

namespace domainfusion {

namespace {

// Pixels that pass through the VAE at once: those of four images of 512 px, for which a decoder in float32 needs some
// GiB. No bit depends on it.
constexpr std::int64_t kPixelsTogether = 4 * 512 * 512;

// What `compute` gives for parts of `images` of `image_px` pixels each.
at::Tensor in_parts(const at::Tensor& images, std::int64_t image_px,
                    const std::function<at::Tensor(const at::Tensor&)>& compute) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : images.split(std::max<std::int64_t>(1, kPixelsTogether / image_px)))
    parts.push_back(compute(part));
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

}  // namespace

LdmCandidates::LdmCandidates(LatentDiffusion model, const RoundConfig& config)
    : model_(std::move(model)), request_(config.request()) {
  with_context("augmentation", [&] { prepare_scheduler(model_.scheduler_config(), request_); });
}

at::Tensor LdmCandidates::candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                                            std::vector<RandomStream> noise) const {
  const c10::NoGradGuard no_grad;
  ImageToImageRequest request = request_;
  request.z0_NChw = z_Nchw;
  request.prompts = prompts;
  request.noise_streams = std::move(noise);
  return checked_image_to_image_latents(model_, request).values_N;
}

at::Tensor LdmCandidates::encode(const at::Tensor& image01_N3SS) const {
  const c10::NoGradGuard no_grad;
  return finite([&](const LatentDiffusion& model) {
    return in_parts(image01_N3SS, pixels(), [&](const at::Tensor& part) { return model.encode(part); });
  });
}

at::Tensor LdmCandidates::decode(const at::Tensor& z_Nchw) const {
  return finite([&](const LatentDiffusion& model) {
           return in_parts(z_Nchw, pixels(), [&](const at::Tensor& part) { return model.decode(part); });
         })
      .to(at::kCPU, at::kFloat);
}

at::Tensor LdmCandidates::finite(const std::function<at::Tensor(const LatentDiffusion&)>& compute) const {
  at::Tensor values = compute(model_);
  if (model_.placement().dtype == at::kFloat || at::isfinite(values).all().item<bool>()) return values;
  return compute(model_.computing_in(at::kFloat));
}

}  // namespace domainfusion
