#pragma once
// A text-to-image latent diffusion model (Rombach et al. 2022): VAE, text encoder, U-Net and noise schedule as one
// frozen whole, read from a diffusers folder, a hub cache, or one file in CompVis' layout.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/diffusion/weights/few_step.h"
#include "domainfusion/diffusion/weights/ldm_parts.h"

namespace domainfusion {

// What of a model decides its outputs, up to the rounding of another processor or batch. What names such outputs takes
// it apart by a structured binding, so that a field that comes to it cannot be passed over.
struct LdmIdentity {
  std::string weights_hash;
  std::int64_t image_size_px;
  std::string dtype;  // in which the networks compute: "float32", …
};

// Copies share the networks. All functions may be called with gradients on; the parameters themselves take none.
class LatentDiffusion {
 public:
  // `path`: a diffusers folder with unet/, vae/, text_encoder/ (config.json and weights), tokenizer/, scheduler/ and,
  // where it has one, domainfusion.json; a folder of the hub's cache; a CompVis file (see open_model); the folder of a
  // LoRA that finetuning wrote, which is opened with its base. Throws IoError, FormatError, ShapeError, ConfigError
  // that name the path and the part.
  static LatentDiffusion load(const std::filesystem::path& path, const LdmOptions& options = {});
  // The same without the networks: each is loaded, and its weights are checked, when it is first used.
  static LatentDiffusion open(const std::filesystem::path& path, const LdmOptions& options = {});

  AutoencoderKl vae() const { return parts_->vae(); }
  UNet2dCondition unet() const { return parts_->unet(); }
  ClipTextEncoder text_encoder() const { return parts_->text_encoder(); }
  // Of the SDXL family, which has two; what follows calls tokens and width of its conditions L and D all the same.
  bool is_xl() const { return parts_->unet_config().is_xl(); }
  ClipTextEncoder second_text_encoder() const { return parts_->second_text_encoder(); }
  // The same model computing in `dtype`: its parts are read when they are first used, and kept with this model.
  // Thread-safe.
  LatentDiffusion computing_in(at::ScalarType dtype) const;
  // Where the networks compute, and in which type. The functions below take tensors of any device and floating-point
  // type; their results lie on that device and have the type of the tensor they were made from (embeddings: the
  // placement's).
  const Placement& placement() const { return parts_->options().placement; }
  // See AutoencoderKl::use_tiles; also of a VAE that is loaded later. Not while another thread uses the model.
  void use_vae_tiles(std::int64_t tile_px) const;
  // Gives the memory of a part back, for all copies of this model; its next use loads it again. Thread-safe.
  void release(LdmPart part) const;
  bool is_loaded(LdmPart part) const { return parts_->is_loaded(part); }
  const ClipTokenizer& tokenizer() const { return tokenizer_; }
  const nlohmann::json& scheduler_config() const { return scheduler_config_; }
  const NoiseSchedule& noise_schedule() const { return noise_schedule_; }

  // Width and height of the images the model was made for: unet sample_size times the VAE's factor.
  std::int64_t image_size_px() const { return image_size_px_; }
  double scaling_factor() const { return parts_->vae_config().scaling_factor; }
  std::vector<std::int64_t> latent_shape() const;  // {C, h, w} of one image of image_size_px

  // z = scaling_factor * mean of E(2 x - 1), differentiable. image01 [N, 3, H, W] in [0, 1]; H, W multiples of the
  // VAE's factor, else ShapeError. Returns [N, C, H/f, W/f].
  at::Tensor encode(const at::Tensor& image01_N3HW) const;
  // The whole posterior of E(2 x - 1), not multiplied by scaling_factor.
  LatentPosterior posterior(const at::Tensor& image01_N3HW) const;
  // D(z / scaling_factor) as image01, clamped to [0, 1].
  at::Tensor decode(const at::Tensor& z_NChw) const;

  // Text embeddings [N, L, D] (L the tokenizer's length), computed once per prompt and model; no gradient. A prompt
  // that is longer than L is cut, which a warning says. Thread-safe. SDXL: the states before the last layer of both
  // encoders side by side, and behind them, in further rows of the width D filled up with zeros, the pooled text: so
  // that a condition is one tensor for every family.
  at::Tensor embed(const std::vector<std::string>& prompts) const;
  // The same of what guidance leads away from, [1, L, D]: zeros for the empty prompt of a model that says so (SDXL's
  // force_zeros_for_empty_prompt).
  at::Tensor embed_negative(const std::string& prompt) const;

  // The U-Net's prediction in the model's own type. t_N: integers or fractions; cond [N, L, D]. SDXL is told that
  // images are whole and of the latents' size. guidance_scale is for models that embed it (see embeds_guidance).
  at::Tensor predict(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const at::Tensor& cond_NLD,
                     double guidance_scale = 1) const;
  // The same by another U-Net of this model's config: one that is being trained.
  at::Tensor predict_by(const UNet2dCondition& unet, const at::Tensor& z_t_NChw, const at::Tensor& t_N,
                        const at::Tensor& cond_NLD) const;
  // Whether the U-Net takes the guidance scale as an input (latent consistency models) in place of a second pass.
  bool embeds_guidance() const { return parts_->unet_config().time_cond_proj_dim > 0; }
  // The same as a prediction of the noise (velocity and sample predictions are converted). t_N: int64 in 0 … T-1.
  at::Tensor predict_epsilon(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const at::Tensor& cond_NLD) const;

  const at::Tensor& alphas_cumprod() const { return noise_schedule_.alphas_cumprod(); }  // float32 [T], CPU

  // SHA-256 over the content of all files that the model was read from (and over options that change it); equal folders
  // have equal hashes. Computed on first use.
  std::string weights_hash() const;
  LdmIdentity identity() const { return {weights_hash(), image_size_px(), name_of(placement().dtype)}; }
  // The content of domainfusion.json (domains and image hashes the model was trained on), or nullptr.
  const nlohmann::json* provenance() const { return provenance_.is_null() ? nullptr : &provenance_; }
  // Whether it was distilled to a few steps, as its files say.
  const FewStepKind& few_step_kind() const { return few_step_kind_; }
  const std::filesystem::path& folder() const { return folder_; }  // the path it was loaded from
  // What the networks were read from.
  const ModelSource& source() const { return parts_->source(); }

 private:
  struct Cache;
  // A condition's parts: what the U-Net attends to and, of SDXL, the pooled text.
  struct SplitCondition {
    at::Tensor whole_NLD, context_NLD, pooled_NP;
    std::uint32_t version = 0;
  };
  LatentDiffusion(std::filesystem::path folder, std::shared_ptr<const ModelSource> source, const PartsOptions& options);
  at::Tensor placed(const at::Tensor& values) const;
  at::Tensor placed_for_vae(const at::Tensor& values) const;
  SplitCondition split(const at::Tensor& cond_NLD) const;
  SplitCondition remembered_split(const at::Tensor& cond_NLD) const;
  std::vector<at::Tensor> unet_inputs(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const SplitCondition& cond,
                                      const at::Tensor& guidance_N) const;
  void check_text_encoders() const;
  void check_parts() const;
  at::Tensor embedding_of(const std::string& prompt) const;
  void say_if_cut(const std::string& prompt) const;

  std::filesystem::path folder_;
  nlohmann::json scheduler_config_;
  NoiseSchedule noise_schedule_;
  nlohmann::json provenance_;
  FewStepKind few_step_kind_;
  std::shared_ptr<LdmParts> parts_;
  ClipTokenizer tokenizer_, second_tokenizer_;  // the second: of SDXL
  std::int64_t image_size_px_ = 0;
  std::shared_ptr<Cache> cache_;
};

}  // namespace domainfusion
