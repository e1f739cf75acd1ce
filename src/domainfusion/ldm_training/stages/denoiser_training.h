#pragma once
// Stage 2 of LDM pretraining: the denoising U-Net and its text encoder, on the frozen autoencoder's latents.

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/ldm_training/options/ldm_pretraining_config.h"
#include "domainfusion/ldm_training/stages/ldm_images.h"
#include "domainfusion/nn/graphs/graphed_training.h"

namespace domainfusion {

// The captions of a set: per class one with the description of each domain in which there are images of it and one
// without a domain, and last the empty caption.
class CaptionTable {
 public:
  CaptionTable(const LdmImages& images, const std::vector<std::string>& class_names,
               const std::vector<std::string>& domain_descriptions);

  const std::vector<std::string>& captions() const { return captions_; }
  // Places in captions(); none where no image is of this class and domain.
  std::optional<std::int64_t> of_domain(std::int64_t label, std::int64_t domain) const;
  std::int64_t without_domain(std::int64_t label) const { return plain_[static_cast<std::size_t>(label)]; }
  std::int64_t empty() const { return static_cast<std::int64_t>(captions_.size()) - 1; }

 private:
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> place_;  // of (label, domain)
  std::vector<std::int64_t> plain_;                                      // by label
  std::vector<std::string> captions_;
};

// Builds the networks once and drops them: options that do not fit together are found before the VAE is trained.
// ConfigError.
void check_denoiser_options(const LdmPretrainingConfig& config, const ClipTokenizer& tokenizer);

class DenoiserTraining {
 public:
  // latent_2NChw: scaled latents of the images, plain and mirrored; where they lie is computed. All references must
  // outlive the object. Start values are draws of config.seed.
  DenoiserTraining(const LdmImages& images, const CaptionTable& captions, const ClipTokenizer& tokenizer,
                   at::Tensor latent_2NChw, const NoiseSchedule& schedule, const LdmPretrainingConfig& config);

  // The denoising_loss of a step: latents, captions, t and noise are draws of (seed, step).
  at::Tensor loss(std::int64_t step);

  // "unet.*" and "text_encoder.*".
  TensorMap parameters() const;
  UNet2dCondition& unet() { return unet_; }
  ClipTextEncoder& text_encoder() { return text_encoder_; }

 private:
  std::vector<at::Tensor> all_parameters() const;
  at::Tensor predict(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const at::Tensor& caption_N);
  std::int64_t draw_caption(RandomStream& stream, std::int64_t image) const;

  const LdmImages& images_;
  const CaptionTable& captions_;
  const LdmPretrainingConfig& config_;
  at::Tensor latent_2NChw_, caption_ids_KL_;
  NoiseSchedule schedule_;
  UNet2dCondition unet_;
  ClipTextEncoder text_encoder_;
  GraphedTraining prediction_;  // predict()
};

}  // namespace domainfusion
