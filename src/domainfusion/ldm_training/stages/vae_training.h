#pragma once
// Stage 1 of LDM pretraining: the autoencoder.

#include <ATen/core/Tensor.h>

#include <vector>

#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/ldm_training/options/ldm_pretraining_config.h"
#include "domainfusion/ldm_training/stages/ldm_images.h"
#include "domainfusion/nn/graphs/graphed_training.h"

namespace domainfusion {

// mean |x' - x| + squared_weight * mean (x' - x)^2 + edge_weight * mean |grad x' - grad x| + kl_weight * KL(q(z|x) ||
// N(0, I)) per latent element, with x' = D(mean + exp(logvar/2) * noise). image11 [N, 3, H, W] in [-1, 1], noise like
// the latent. Differentiable scalar.
at::Tensor vae_loss(AutoencoderKl& vae, const at::Tensor& image11_N3HW, const at::Tensor& noise_NChw,
                    const CompactVaeConfig& config);

AutoencoderConfig vae_config_of(const LdmPretrainingConfig& config);

class VaeTraining {
 public:
  // `images` and `config` must outlive the object, which computes where the images lie. Start values are draws of
  // config.seed.
  VaeTraining(const LdmImages& images, const LdmPretrainingConfig& config);

  // The loss of a step: a batch of images, half of them mirrored, and the posterior's noise, all draws of (seed, step).
  at::Tensor loss(std::int64_t step);
  // Images of the set and what the autoencoder makes of them, each image01 [n, 3, S, S].
  std::vector<at::Tensor> pictures(const at::Tensor& image_indices);
  // The posterior means of all images, plain and mirrored, times the scaling factor 1/std (Rombach et al. 2022, section
  // 3.3): [2, N, C, h, w]. `written_config` becomes vae()'s config with that factor.
  at::Tensor encode_all(AutoencoderConfig& written_config);

  AutoencoderKl& vae() { return vae_; }

 private:
  at::Device device() const { return images_.image_N3SS.device(); }

  const LdmImages& images_;
  const LdmPretrainingConfig& config_;
  AutoencoderKl vae_;
  GraphedTraining loss_;  // vae_loss() of uint8 images and noise
};

}  // namespace domainfusion
