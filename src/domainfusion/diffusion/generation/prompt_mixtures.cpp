#include "domainfusion/diffusion/generation/prompt_mixtures.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

std::unique_ptr<Scheduler> scheduler_of(const nlohmann::json& scheduler_config, const MixtureSampling& sampling) {
  nlohmann::json config = scheduler_config;
  config["eta"] = 0.0;
  auto scheduler = make_scheduler(resolved_scheduler_name(sampling.scheduler, config), config);
  check<ConfigError>(scheduler->denoises(), "scheduler = {}: it goes from images to noise; choose one that denoises",
                     sampling.scheduler);
  scheduler->set_timesteps(sampling.steps);
  return scheduler;
}

// How many of the scheduler's steps the two trajectories go apart.
std::size_t steps_apart(const Scheduler& scheduler, const MixtureSampling& sampling) {
  if (sampling.sampler != MixtureSampler::kTrajectories) return 0;
  const std::size_t steps = scheduler.timesteps().size();
  const auto apart = static_cast<std::size_t>(std::floor(sampling.apart * static_cast<double>(steps)));
  check<ConfigError>(apart >= 1 && apart < steps,
                     "apart = {} of {} steps: trajectories need at least one step before they are mixed and one after "
                     "it; raise the steps, or choose another share",
                     sampling.apart, steps);
  return apart;
}

void check_mixtures(const LatentDiffusion& model, const MixtureRequest& r) {
  check<ShapeError>(!r.mixtures.empty() && r.noise_streams.size() == r.mixtures.size(),
                    "{} noise streams for {} mixtures: expected one each, and at least one", r.noise_streams.size(),
                    r.mixtures.size());
  for (const PromptMixture& mixture : r.mixtures) {
    check<ConfigError>(mixture.first_share >= 0 && mixture.first_share <= 1, "first_share = {}: expected 0 … 1",
                       mixture.first_share);
    check<ConfigError>(mixture.guidance_scale >= 1 && mixture.guidance_scale <= 1000,
                       "guidance_scale = {}: expected 1 … 1000", mixture.guidance_scale);
    check<ConfigError>(!model.embeds_guidance() || mixture.guidance_scale == r.mixtures[0].guidance_scale,
                       "guidance scales {} and {}: this model takes the scale as an input, one for a whole batch; give "
                       "all images the same",
                       r.mixtures[0].guidance_scale, mixture.guidance_scale);
  }
}

// One value per image, to be multiplied with tensors of `dims` dimensions.
template <class Value>
at::Tensor per_image(const MixtureRequest& r, Value value, std::int64_t dims, at::Device device) {
  std::vector<double> values;
  for (const PromptMixture& mixture : r.mixtures) values.push_back(value(mixture));
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dims), 1);
  shape[0] = -1;
  return torch::tensor(values, torch::kFloat64).to(torch::kFloat32).reshape(shape).to(device);
}

double share_of(const PromptMixture& mixture) { return mixture.first_share; }

at::Tensor mixed(const at::Tensor& share, const at::Tensor& first, const at::Tensor& second) {
  return share * first + (1 - share) * second;
}

// The U-Net's prediction, guided away from the negative prompt by each image's own scale. `conditions` of all images
// after one another; with two of them, for kPrediction, the mixture of both predictions.
class MixedPrediction {
 public:
  MixedPrediction(const LatentDiffusion& model, const MixtureRequest& r, std::vector<at::Tensor> conditions)
      : model_(model),
        embedded_scale_(r.mixtures[0].guidance_scale),
        images_(conditions[0].size(0)),
        both_(conditions.size() == 2) {
    const at::Device device = model.placement().device;
    share_ = per_image(r, share_of, 4, device);
    scale_ = per_image(
        r, [](const PromptMixture& mixture) { return mixture.guidance_scale; }, 4, device);
    // Trajectories that are apart stand behind one another.
    scale_ = scale_.repeat({images_ / scale_.size(0), 1, 1, 1});
    guided_ = !model.embeds_guidance() && scale_.max().item<double>() > 1;
    if (guided_)
      conditions.insert(conditions.begin(), model.embed_negative(r.negative_prompt).expand_as(conditions[0]));
    condition_ = at::cat(conditions);
  }

  at::Tensor operator()(const at::Tensor& z_NChw, double timestep) const {
    const at::Tensor z = z_NChw.repeat({condition_.size(0) / images_, 1, 1, 1});
    const at::Tensor prediction =
        model_.predict(z, torch::full({z.size(0)}, timestep, torch::kFloat32), condition_, embedded_scale_);
    const std::vector<at::Tensor> parts = prediction.split(images_);
    const std::size_t first = guided_ ? 1 : 0;
    const at::Tensor towards = both_ ? mixed(share_, parts[first], parts[first + 1]) : parts[first];
    return guided_ ? parts[0] + scale_ * (towards - parts[0]) : towards;
  }

 private:
  const LatentDiffusion& model_;
  double embedded_scale_;
  std::int64_t images_;
  bool both_, guided_ = false;
  at::Tensor share_, scale_, condition_;
};

}  // namespace

std::vector<std::pair<std::string, MixtureSampler>> mixture_samplers() {
  return {{"condition", MixtureSampler::kCondition},
          {"prediction", MixtureSampler::kPrediction},
          {"trajectories", MixtureSampler::kTrajectories}};
}

void check_mixture_sampling(const nlohmann::json& scheduler_config, const MixtureSampling& sampling) {
  steps_apart(*scheduler_of(scheduler_config, sampling), sampling);
}

std::int64_t unet_passes(const nlohmann::json& scheduler_config, const MixtureSampling& sampling, bool guided) {
  const auto scheduler = scheduler_of(scheduler_config, sampling);
  const std::int64_t of_one = guided ? 2 : 1;
  const auto steps = static_cast<std::int64_t>(scheduler->timesteps().size());
  if (sampling.sampler == MixtureSampler::kPrediction) return steps * (of_one + 1);
  return (steps + static_cast<std::int64_t>(steps_apart(*scheduler, sampling))) * of_one;
}

std::int64_t rows_per_image(const MixtureSampling& sampling, bool guided) {
  const std::int64_t of_one = guided ? 2 : 1;
  if (sampling.sampler == MixtureSampler::kPrediction) return of_one + 1;
  return sampling.sampler == MixtureSampler::kTrajectories ? 2 * of_one : of_one;
}

at::Tensor mixed_latents(const LatentDiffusion& model, MixtureRequest r) {
  const torch::NoGradGuard no_grad;
  check_mixtures(model, r);
  auto scheduler = scheduler_of(model.scheduler_config(), r);
  const std::size_t apart = steps_apart(*scheduler, r);
  std::vector<std::string> first, second;
  for (const PromptMixture& mixture : r.mixtures) {
    first.push_back(mixture.first);
    second.push_back(mixture.second);
  }
  const at::Tensor of_first = model.embed(first), of_second = model.embed(second);
  const at::Device device = model.placement().device;

  std::vector<std::int64_t> shape = model.latent_shape();
  shape.insert(shape.begin(), std::ssize(r.mixtures));
  at::Tensor z = torch::empty(shape, at::TensorOptions(device).dtype(torch::kFloat32));
  z = noise_from(r.noise_streams, z) * scheduler->init_noise_sigma();
  if (r.on_latents) r.on_latents(z);
  if (r.sampler == MixtureSampler::kPrediction)
    return take_steps(*scheduler, 0, MixedPrediction(model, r, {of_first, of_second}), z, r.noise_streams,
                      r.on_latents);
  if (apart > 0) {
    // Both draw the same noise, so that the latents keep its variance when they are mixed.
    std::vector<RandomStream> streams = r.noise_streams;
    streams.insert(streams.end(), r.noise_streams.begin(), r.noise_streams.end());
    const at::Tensor both = take_steps(*scheduler, 0, MixedPrediction(model, r, {at::cat({of_first, of_second})}),
                                       at::cat({z, z}), streams, r.on_latents, apart);
    r.noise_streams.assign(streams.begin(), streams.begin() + std::ssize(r.mixtures));
    const auto halves = both.chunk(2);
    z = mixed(per_image(r, share_of, 4, device), halves[0], halves[1]);
    scheduler = scheduler_of(model.scheduler_config(), r);  // what it remembers of steps is of two sets of latents
  }
  const at::Tensor share = per_image(r, share_of, 3, of_first.device());
  const at::Tensor condition =
      mixed(share, of_first.to(torch::kFloat32), of_second.to(torch::kFloat32)).to(of_first.scalar_type());
  return take_steps(*scheduler, apart, MixedPrediction(model, r, {condition}), z, r.noise_streams, r.on_latents);
}

at::Tensor mixed_images(const LatentDiffusion& model, MixtureRequest request) {
  const torch::NoGradGuard no_grad;
  return model.decode(mixed_latents(model, std::move(request)));
}

}  // namespace domainfusion
