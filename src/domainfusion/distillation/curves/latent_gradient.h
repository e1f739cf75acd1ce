#pragma once
// The heart of latent distillation: how the LDM's denoising residual changes with one image's confidence p.
//
//   z(p) = s E(2 p x - 1)                                  encode_exact, encode_difference, or an interpolated curve
//   z_t  = sqrt(abar_t) z + sqrt(1 - abar_t) eps           t and eps: draw_noise
//   r    = eps_phi(z_t, t, c) - eps
//   g    = w(t) mean(r * dz/dp)                            jacobian = dropped: score distillation (Poole et al., ICLR
//                                                          2023, eq. 3, with theta there = p here)
//   g    = d/dp [w(t) mean(r^2)]                           jacobian = full
//        = sqrt(abar_t) w(t) < d mean(r^2) / dz_t , dz/dp >
// Both have the form g = < v, dz/dp >, with a cotangent v on z that needs no derivative of the encoder.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string_view>
#include <vector>

#include "domainfusion/distillation/curves/chebyshev.h"
#include "domainfusion/distillation/distillation_config.h"
#include "domainfusion/distillation/ldm_functions.h"

namespace domainfusion {

struct NoiseDraw {
  at::Tensor t_N;           // int64 CPU
  at::Tensor epsilon_NChw;  // float32 CPU
};

// Per image, from RandomStream(seed, purpose, {step, domain, index}): t uniform over t_min … t_max, then eps ~ N(0, I)
// of shape `latent_Chw`. An image's draw depends on nothing else, whatever batch it is in.
NoiseDraw draw_noise(std::uint64_t seed, std::string_view purpose, std::uint64_t step,
                     const std::vector<ImageKey>& keys, std::int64_t t_min, std::int64_t t_max,
                     at::IntArrayRef latent_Chw);

// z_t = sqrt(abar_t) z + sqrt(1 - abar_t) eps, without graph.
at::Tensor noised(const LdmFunctions& ldm, const at::Tensor& z_NChw, const NoiseDraw& noise);

// w(t) of `alphas_cumprod` values abar (any shape, kept): 1 - abar, 1, or min(abar / (1 - abar), 5).
at::Tensor timestep_weight(TimestepWeighting weighting, const at::Tensor& abar);

// z(p) of a batch and the way from a cotangent on it to the images.
struct EncodedPoint {
  at::Tensor z_NChw;  // without graph
  // cotangent [N, C, h, w] -> [N], the sums over an image's elements of cotangent * dz/dp. To be called at most once.
  std::function<at::Tensor(const at::Tensor& cotangent_NChw)> pull_back;
};

// Encodes p x with a graph; pull_back is one backward pass through the encoder. `image01_N3HW` on the LDM's device,
// p [N].
EncodedPoint encode_exact(const LdmFunctions& ldm, const at::Tensor& image01_N3HW, const at::Tensor& p_N);
// Two encodings without graph: dz/dp = (z(p + h) - z(p - h)) / 2h and z(p) = their mean, both with an error of order
// h^2. p + h may pass 1 and p - h may pass 0: the encoder is smooth beyond the range of pixels.
EncodedPoint encode_difference(const LdmFunctions& ldm, const at::Tensor& image01_N3HW, const at::Tensor& p_N,
                               double h);
// From an interpolated curve.
EncodedPoint encoded_from_curve(ValueAndDerivative curve);

// Text conditions of a batch: [N, tokens, width]; the empty prompt's [1, tokens, width], undefined at guidance 1.
struct TextCondition {
  at::Tensor prompt, empty;
};
// Embeds the class prompts once; condition(labels) then picks.
class ClassConditions {
 public:
  ClassConditions(const LdmFunctions& ldm, const DistillationConfig& config,
                  const std::vector<std::string>& class_names);
  TextCondition of(const at::Tensor& label_N) const;  // label int64; ShapeError outside 0 … classes-1
  const std::vector<std::string>& prompts() const { return prompts_; }

 private:
  std::vector<std::string> prompts_;
  at::Tensor prompt_KTW_, empty_1TW_;
};

struct LatentGradient {
  at::Tensor g_N;                 // float64 CPU
  at::Tensor squared_residual_N;  // mean over elements of r^2, float64 CPU
};

// g of each image, by the formulas above; consumes `point`. All of one batch pass through the U-Net at once.
LatentGradient latent_gradient(const LdmFunctions& ldm, const DistillationConfig& config, const EncodedPoint& point,
                               const NoiseDraw& noise, const TextCondition& condition);

}  // namespace domainfusion
