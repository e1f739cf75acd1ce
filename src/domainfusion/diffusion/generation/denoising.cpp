#include "domainfusion/diffusion/generation/denoising.h"

#include <torch/types.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {

GuidedPrediction::GuidedPrediction(const LatentDiffusion& model, const std::vector<std::string>& prompts,
                                   const std::string& negative_prompt, double guidance_scale)
    : model_(model),
      scale_(guidance_scale),
      guided_(guidance_scale > 1 && !model.embeds_guidance()),
      condition_(model.embed(prompts)) {
  if (!guided_) return;
  condition_ = at::cat({model.embed_negative(negative_prompt).expand_as(condition_), condition_});
}

at::Tensor GuidedPrediction::operator()(const at::Tensor& z_NChw, double timestep) const {
  const at::Tensor z = guided_ ? at::cat({z_NChw, z_NChw}) : z_NChw;
  const at::Tensor prediction =
      model_.predict(z, torch::full({z.size(0)}, timestep, torch::kFloat32), condition_, scale_);
  if (!guided_) return prediction;
  const auto halves = prediction.chunk(2);
  return halves[0] + scale_ * (halves[1] - halves[0]);
}

at::Tensor take_steps(Scheduler& scheduler, std::size_t start, const Prediction& predict, at::Tensor z_NChw,
                      std::vector<RandomStream>& streams, const LatentsHook& on_latents, std::size_t end) {
  const std::vector<double> timesteps = scheduler.timesteps();
  for (std::size_t i = start; i < std::min(end, timesteps.size()); ++i) {
    const at::Tensor prediction = predict(scheduler.scale_model_input(z_NChw, i), timesteps[i]);
    const at::Tensor noise = scheduler.needs_noise(i) ? noise_from(streams, z_NChw) : at::Tensor();
    z_NChw = scheduler.step(prediction, i, z_NChw, noise).sample;
    if (on_latents) on_latents(z_NChw);
  }
  return z_NChw;
}

bool adds_noise(const Scheduler& scheduler, std::size_t start) {
  for (std::size_t i = start; i < scheduler.timesteps().size(); ++i) {
    if (scheduler.needs_noise(i)) return true;
  }
  return false;
}

at::Tensor noise_from(std::vector<RandomStream>& streams, const at::Tensor& z_NChw) {
  check<ShapeError>(static_cast<std::int64_t>(streams.size()) == z_NChw.size(0),
                    "{} noise streams for {} images: expected one each", streams.size(), z_NChw.size(0));
  std::vector<at::Tensor> rows;
  for (RandomStream& stream : streams) rows.push_back(normal_tensor(stream, z_NChw.sizes().slice(1)));
  return at::stack(rows).to(z_NChw.options());
}

}  // namespace domainfusion
