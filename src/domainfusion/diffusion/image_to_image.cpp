#include "domainfusion/diffusion/image_to_image.h"

#include <torch/torch.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/core/random_tensor.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"

namespace domainfusion {
namespace {

void check_request(const ImageToImageRequest& r) {
  const at::Tensor& input = r.z0_NChw.defined() ? r.z0_NChw : r.image01_N3HW;
  check<ShapeError>(input.dim() == 4 && input.size(0) >= 1, "image-to-image input [{}]: expected [N, C, H, W]",
                    fmt::join(input.sizes(), ", "));
  const auto count = static_cast<std::size_t>(input.size(0));
  check<ShapeError>(r.prompts.size() == count, "{} prompts for {} images: expected one each", r.prompts.size(), count);
  const bool drawn = !r.noise_NChw.defined() || (r.sample_posterior && !r.posterior_noise_NChw.defined());
  check<ShapeError>(!drawn || r.noise_streams.size() == count, "{} noise streams for {} images: expected one each",
                    r.noise_streams.size(), count);
  check<ConfigError>(r.strength > 0 && r.strength <= 1, "strength = {}: expected more than 0, at most 1", r.strength);
  check<ConfigError>(image_to_image_steps(r.steps, r.strength) >= 1,
                     "strength {} of {} steps is less than one step: raise the steps or the strength", r.strength, r.steps);
  check<ConfigError>(r.guidance_scale >= 0 && r.guidance_scale <= 1000, "guidance_scale = {}: expected 0 … 1000",
                     r.guidance_scale);
}

// `given`, or one draw per image from its own stream.
at::Tensor noise_like(const at::Tensor& z_NChw, const at::Tensor& given, std::vector<RandomStream>& streams) {
  if (given.defined()) {
    check<ShapeError>(given.sizes() == z_NChw.sizes(), "noise [{}]: expected [{}]", fmt::join(given.sizes(), ", "),
                      fmt::join(z_NChw.sizes(), ", "));
    return given;
  }
  std::vector<at::Tensor> rows;
  for (RandomStream& stream : streams) rows.push_back(normal_tensor(stream, z_NChw.sizes().slice(1)));
  return at::stack(rows).to(z_NChw.options());
}

at::Tensor initial_latents(const LatentDiffusion& model, ImageToImageRequest& r) {
  if (r.z0_NChw.defined()) return r.z0_NChw;
  if (!r.sample_posterior) return model.encode(r.image01_N3HW);
  const LatentPosterior posterior = model.vae()->encode(2.0 * r.image01_N3HW - 1.0);
  const at::Tensor noise = noise_like(posterior.mean_NChw, r.posterior_noise_NChw, r.noise_streams);
  return posterior.sample(noise) * model.vae()->config().scaling_factor;
}

// The U-Net's prediction under guidance.
class GuidedPrediction {
 public:
  GuidedPrediction(const LatentDiffusion& model, const ImageToImageRequest& r)
      : model_(model), scale_(r.guidance_scale), guided_(r.guidance_scale > 1) {
    condition_ = model.embed(r.prompts);
    if (guided_) {
      const at::Tensor negative = model.embed({r.negative_prompt});
      condition_ = at::cat({negative.expand_as(condition_), condition_});
    }
  }

  at::Tensor operator()(const at::Tensor& z_NChw, double timestep) const {
    const at::Tensor z = guided_ ? at::cat({z_NChw, z_NChw}) : z_NChw;
    const at::Tensor prediction = model_.predict(z, torch::full({z.size(0)}, timestep, torch::kFloat32), condition_);
    if (!guided_) return prediction;
    const auto halves = prediction.chunk(2);
    return halves[0] + scale_ * (halves[1] - halves[0]);
  }

 private:
  const LatentDiffusion& model_;
  double scale_;
  bool guided_;
  at::Tensor condition_;
};

}  // namespace

std::int64_t image_to_image_steps(std::int64_t steps, double strength) {
  return std::min(static_cast<std::int64_t>(static_cast<double>(steps) * strength), steps);
}

at::Tensor image_to_image_latents(const LatentDiffusion& model, ImageToImageRequest request) {
  const torch::NoGradGuard no_grad;
  check_request(request);
  const auto scheduler = scheduler_registry().make(request.scheduler, model.scheduler_config());
  scheduler->set_timesteps(request.steps);
  const std::vector<double>& timesteps = scheduler->timesteps();
  const auto taken = static_cast<std::size_t>(image_to_image_steps(request.steps, request.strength));
  const std::size_t start = timesteps.size() - std::min(taken, timesteps.size());
  const at::Tensor z0 = initial_latents(model, request);
  at::Tensor z = scheduler->add_noise(z0, noise_like(z0, request.noise_NChw, request.noise_streams), start);
  const GuidedPrediction predict(model, request);
  if (request.on_latents) request.on_latents(z);
  for (std::size_t i = start; i < timesteps.size(); ++i) {
    z = scheduler->step(predict(z, timesteps[i]), i, z);
    if (request.on_latents) request.on_latents(z);
  }
  return z;
}

at::Tensor image_to_image(const LatentDiffusion& model, ImageToImageRequest request) {
  const torch::NoGradGuard no_grad;
  return model.decode(image_to_image_latents(model, std::move(request)));
}

}  // namespace domainfusion
