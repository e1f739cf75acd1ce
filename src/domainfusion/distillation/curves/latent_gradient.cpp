#include "domainfusion/distillation/curves/latent_gradient.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {
namespace {

// [N] -> [N, 1, 1, 1], in the dtype and on the device of `like`.
at::Tensor per_image(const at::Tensor& values_N, const at::Tensor& like) {
  return values_N.to(like.options()).reshape({-1, 1, 1, 1});
}

at::Tensor sum_per_image(const at::Tensor& values_NChw) {
  return values_NChw.flatten(1).sum(1, false, torch::kFloat64);
}

// eps_hat = eps_empty + guidance (eps_prompt - eps_empty), Ho & Salimans, classifier-free guidance, eq. 6.
at::Tensor guided_epsilon(const LdmFunctions& ldm, const at::Tensor& z_t, const at::Tensor& t_N,
                          const TextCondition& condition, double guidance) {
  if (guidance == 1) return ldm.predict_epsilon(z_t, t_N, condition.prompt);
  const at::Tensor empty = condition.empty.expand_as(condition.prompt);
  const auto both =
      ldm.predict_epsilon(torch::cat({z_t, z_t}), torch::cat({t_N, t_N}), torch::cat({empty, condition.prompt}))
          .chunk(2);
  return both[0] + guidance * (both[1] - both[0]);
}

}  // namespace

NoiseDraw draw_noise(std::uint64_t seed, std::string_view purpose, std::uint64_t step,
                     const std::vector<ImageKey>& keys, std::int64_t t_min, std::int64_t t_max,
                     at::IntArrayRef latent_Chw) {
  check<ConfigError>(t_min <= t_max, "t_min = {} is above t_max = {}", t_min, t_max);
  std::vector<std::int64_t> t;
  std::vector<at::Tensor> epsilon;
  for (const ImageKey& key : keys) {
    RandomStream stream(seed, purpose,
                        {step, static_cast<std::uint64_t>(key.domain), static_cast<std::uint64_t>(key.index)});
    t.push_back(t_min + static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(t_max - t_min + 1))));
    epsilon.push_back(normal_tensor(stream, latent_Chw));
  }
  return {torch::tensor(t, torch::kInt64), torch::stack(epsilon)};
}

at::Tensor noised(const LdmFunctions& ldm, const at::Tensor& z, const NoiseDraw& noise) {
  const at::Tensor abar_N = ldm.alphas_cumprod.index_select(0, noise.t_N).to(torch::kFloat64);
  const at::Tensor epsilon = noise.epsilon_NChw.to(z.options());
  return (per_image(abar_N.sqrt(), z) * z + per_image((1 - abar_N).sqrt(), z) * epsilon).detach();
}

at::Tensor timestep_weight(TimestepWeighting weighting, const at::Tensor& abar) {
  switch (weighting) {
    case TimestepWeighting::kSigma2:
      return 1 - abar;
    case TimestepWeighting::kUniform:
      return torch::ones_like(abar);
    case TimestepWeighting::kSnr:
      return (abar / (1 - abar)).clamp_max(5);
  }
  throw Error("a weighting without a formula");
}

EncodedPoint encode_exact(const LdmFunctions& ldm, const at::Tensor& image01_N3HW, const at::Tensor& p_N) {
  torch::AutoGradMode with_graph(true);
  const at::Tensor p = p_N.detach().to(image01_N3HW.options()).clone().requires_grad_();
  const at::Tensor z = ldm.encode(per_image(p, image01_N3HW) * image01_N3HW.detach());
  return {z.detach(), [z, p](const at::Tensor& cotangent) { return torch::autograd::grad({z}, {p}, {cotangent})[0]; }};
}

EncodedPoint encode_difference(const LdmFunctions& ldm, const at::Tensor& image01_N3HW, const at::Tensor& p_N,
                               double h) {
  torch::NoGradGuard no_graph;
  const at::Tensor p = per_image(p_N.detach(), image01_N3HW);
  const auto ends = ldm.encode(torch::cat({(p + h) * image01_N3HW, (p - h) * image01_N3HW})).chunk(2);
  return encoded_from_curve({(ends[0] + ends[1]) / 2, (ends[0] - ends[1]) / (2 * h)});
}

EncodedPoint encoded_from_curve(ValueAndDerivative curve) {
  return {curve.value_NChw, [derivative = curve.derivative_NChw](const at::Tensor& cotangent) {
            return sum_per_image(cotangent * derivative);
          }};
}

ClassConditions::ClassConditions(const LdmFunctions& ldm, const DistillationConfig& config,
                                 const std::vector<std::string>& class_names) {
  torch::NoGradGuard no_graph;
  for (const std::string& name : class_names) prompts_.push_back(distillation_prompt(config.prompt, name));
  prompt_KTW_ = ldm.embed(prompts_).detach();
  if (config.guidance != 1) empty_1TW_ = ldm.embed({""}).detach();
}

TextCondition ClassConditions::of(const at::Tensor& label_N) const {
  const at::Tensor label = label_N.to(torch::kCPU);
  const std::int64_t classes = prompt_KTW_.size(0);
  check<ShapeError>(
      label.numel() > 0 && label.min().item<std::int64_t>() >= 0 && label.max().item<std::int64_t>() < classes,
      "labels of a batch of {} are not all within 0 … {}", label.numel(), classes - 1);
  return {prompt_KTW_.index_select(0, label.to(prompt_KTW_.device())), empty_1TW_};
}

LatentGradient latent_gradient(const LdmFunctions& ldm, const DistillationConfig& config, const EncodedPoint& point,
                               const NoiseDraw& noise, const TextCondition& condition) {
  const bool full = config.jacobian == UnetJacobian::kFull;
  torch::AutoGradMode graph(full);
  const at::Tensor& z = point.z_NChw;
  const at::Tensor abar_N = ldm.alphas_cumprod.index_select(0, noise.t_N).to(torch::kFloat64);
  const at::Tensor w = per_image(timestep_weight(config.weighting, abar_N), z);
  const at::Tensor epsilon = noise.epsilon_NChw.to(z.options());
  at::Tensor z_t = noised(ldm, z, noise);
  z_t.requires_grad_(full);
  const at::Tensor epsilon_hat = guided_epsilon(ldm, z_t, noise.t_N.to(z.device()), condition, config.guidance);
  // Half precision would lose the small differences that the mean is made of.
  const at::Tensor r =
      z.scalar_type() == torch::kFloat64 ? epsilon_hat - epsilon : epsilon_hat.to(torch::kFloat32) - epsilon;
  const double elements = static_cast<double>(r[0].numel());
  // The mean's divisor comes last: before it would make gradients of 1e-4, too small for networks in half precision.
  at::Tensor cotangent;
  if (full) {
    const at::Tensor loss = (w * r.square()).sum();
    cotangent = per_image(abar_N.sqrt(), z) * torch::autograd::grad({loss}, {z_t})[0];
  } else {
    cotangent = w * r;
  }
  const at::Tensor squared_N = sum_per_image(r.detach().square()) / elements;
  return {point.pull_back(cotangent.to(z.scalar_type())).to(torch::kCPU, torch::kFloat64) / elements,
          squared_N.to(torch::kCPU)};
}

}  // namespace domainfusion
