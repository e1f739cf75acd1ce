#include "domainfusion/diffusion/generation/image_to_image.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/generation/inversion.h"

namespace domainfusion {
namespace {

void check_counts(const ImageToImageRequest& r) {
  const at::Tensor& input = r.z0_NChw.defined() ? r.z0_NChw : r.image01_N3HW;
  check<ShapeError>(input.defined() && input.dim() == 4 && input.size(0) >= 1,
                    "image-to-image input [{}]: expected [N, C, H, W]",
                    input.defined() ? fmt::format("{}", fmt::join(input.sizes(), ", ")) : "absent");
  const auto count = static_cast<std::size_t>(input.size(0));
  check<ShapeError>(r.prompts.size() == count, "{} prompts for {} images: expected one each", r.prompts.size(), count);
  check<ShapeError>(r.inversion_prompts.empty() || r.inversion_prompts.size() == count,
                    "{} inversion prompts for {} images: expected one each or none", r.inversion_prompts.size(), count);
}

// `given`, or one draw per image from its own stream.
at::Tensor noise_like(const at::Tensor& z_NChw, const at::Tensor& given, std::vector<RandomStream>& streams) {
  if (!given.defined()) return noise_from(streams, z_NChw);
  check<ShapeError>(given.sizes() == z_NChw.sizes(), "noise [{}]: expected [{}]", fmt::join(given.sizes(), ", "),
                    fmt::join(z_NChw.sizes(), ", "));
  return given.to(z_NChw.options());
}

at::Tensor initial_latents(const LatentDiffusion& model, ImageToImageRequest& r) {
  if (r.z0_NChw.defined()) return r.z0_NChw.to(model.placement().device);
  if (!r.sample_posterior) return model.encode(r.image01_N3HW);
  const LatentPosterior posterior = model.posterior(r.image01_N3HW);
  const at::Tensor noise = noise_like(posterior.mean_NChw, r.posterior_noise_NChw, r.noise_streams);
  return posterior.sample(noise) * model.scaling_factor();
}

at::Tensor noisy_latents(const LatentDiffusion& model, const PreparedScheduler& prepared, const at::Tensor& z0,
                         ImageToImageRequest& r) {
  if (r.mode == GenerationMode::kImageToImage) {
    return prepared.scheduler->add_noise(z0, noise_like(z0, r.noise_NChw, r.noise_streams), prepared.start);
  }
  if (r.inversion_prompts.empty()) r.inversion_prompts.resize(r.prompts.size());
  return ddim_inverted(model, z0, r.inversion_prompts, r.steps, image_to_image_steps(r.steps, r.strength),
                       r.on_inverted);
}

std::string scheduler_name(const nlohmann::json& scheduler_config, const ImageToImageRequest& r) {
  if (r.mode == GenerationMode::kImageToImage) return resolved_scheduler_name(r.scheduler, scheduler_config);
  check<ConfigError>(r.scheduler == "auto" || r.scheduler == "ddim",
                     "scheduler = {} with inversion: expected \"ddim\", whose steps the inversion takes backwards",
                     r.scheduler);
  return "ddim";
}

}  // namespace

std::vector<std::pair<std::string, GenerationMode>> generation_modes() {
  return {{"img2img", GenerationMode::kImageToImage}, {"inversion", GenerationMode::kInversion}};
}

PreparedScheduler prepare_scheduler(const nlohmann::json& scheduler_config, const ImageToImageRequest& r) {
  check<ConfigError>(r.strength >= 0 && r.strength <= 1, "strength = {}: expected 0 … 1", r.strength);
  check<ConfigError>(r.guidance_scale >= 0 && r.guidance_scale <= 1000, "guidance_scale = {}: expected 0 … 1000",
                     r.guidance_scale);
  nlohmann::json config = scheduler_config;
  config["eta"] = r.eta;
  PreparedScheduler prepared{make_scheduler(scheduler_name(config, r), config), 0};
  check<ConfigError>(prepared.scheduler->denoises(),
                     "scheduler = {}: it goes from images to noise; choose one that denoises", r.scheduler);
  prepared.start = prepared.scheduler->set_timesteps_from(r.steps, r.strength);
  check<ConfigError>(r.strength == 0 || prepared.start < prepared.scheduler->timesteps().size(),
                     "strength {} of {} steps is less than one step: raise the steps or the strength", r.strength,
                     r.steps);
  return prepared;
}

std::int64_t unet_passes(const nlohmann::json& scheduler_config, const ImageToImageRequest& request) {
  const PreparedScheduler prepared = prepare_scheduler(scheduler_config, request);
  const auto taken = static_cast<std::int64_t>(prepared.scheduler->timesteps().size() - prepared.start);
  const std::int64_t inverted = request.mode == GenerationMode::kInversion ? taken : 0;
  return taken * rows_per_image(request.guidance_scale) + inverted;
}

at::Tensor image_to_image_latents(const LatentDiffusion& model, ImageToImageRequest request) {
  const torch::NoGradGuard no_grad;
  check_counts(request);
  const PreparedScheduler prepared = prepare_scheduler(model.scheduler_config(), request);
  const at::Tensor z0 = initial_latents(model, request);
  if (request.strength == 0) return z0;
  const at::Tensor z = noisy_latents(model, prepared, z0, request);
  if (request.on_latents) request.on_latents(z);
  const GuidedPrediction predict(model, request.prompts, request.negative_prompt, request.guidance_scale);
  return take_steps(*prepared.scheduler, prepared.start, predict, z, request.noise_streams, request.on_latents);
}

at::Tensor image_to_image(const LatentDiffusion& model, ImageToImageRequest request) {
  const torch::NoGradGuard no_grad;
  return model.decode(image_to_image_latents(model, std::move(request)));
}

}  // namespace domainfusion
